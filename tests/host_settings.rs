//! What this host's other tools are told: insecure registries, credential helpers, mirrors.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::tls::Pair;
use crate::support::{Content, Dir, Run, Server, answer};

/// A registry whose certificate nobody knows, with an image and its mirror.
fn unknown() -> Server {
    let mut content = Content::default();
    for repository in ["team/x", "team/y"] {
        content.multi(repository, "1", &["linux/amd64", "linux/arm64"], "a");
    }
    let pair = Pair::self_signed(&["127.0.0.1", "localhost"], false);
    Server::start_tls(pair.server(), move |request| answer(&content, request))
}

fn validate(dir: &Dir, registry: &str, flags: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = dir
        .validate()
        .args(&format!("--retries 0 -s {registry} -d {registry} {flags}"));
    for (name, value) in variables {
        command = command.env(name, value);
    }
    command.stdin("team/x team/y 1\n").run()
}

fn insecure(host: &str) -> String {
    format!("[[registry]]\nlocation = \"{host}\"\ninsecure = true\n")
}

#[test]
fn a_flag_makes_single_hosts_insecure() {
    let registry = unknown();
    let (name, alias) = (registry.name(), registry.alias());
    let dir = Dir::new();
    validate(&dir, &name, "", &[]).code(3).has("NOT VALIDATED");
    validate(&dir, &name, &format!("--insecure other.test,{name}"), &[]).code(0);
    validate(
        &dir,
        &name,
        &format!("--insecure other.test --insecure {name}"),
        &[],
    )
    .code(0);
    validate(&dir, &name, "--insecure 127.0.0.0/8", &[]).code(0);
    // Another name of the same server, and the same host with another port, are others.
    for other in [alias.as_str(), "127.0.0.1", "127.0.0.1:1", "*.0.0.1"] {
        validate(&dir, &name, &format!("--insecure {other}"), &[]).code(3);
    }
    for wrong in ["https://reg.io", "reg.io/team", "me:secret@reg.io", ","] {
        let run = validate(&dir, &name, &format!("--insecure {wrong}"), &[]);
        run.code(2).has_not("secret");
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
    }
}

#[test]
fn registries_conf_is_read_where_the_other_tools_read_it() {
    let registry = unknown();
    let name = registry.name();
    let dir = Dir::new();
    let conf = dir.write("mine.conf", insecure(&name));
    let variable = [("CONTAINERS_REGISTRIES_CONF", conf.to_str().unwrap())];
    validate(&dir, &name, "", &variable).code(0).has("PASS");
    validate(&dir, &name, "", &[]).code(3);
    let users = ".config/containers/registries.conf";
    dir.write(users, insecure(&name));
    validate(&dir, &name, "", &[]).code(0);
    // A drop-in replaces the entry of the same registry.
    let drop_in = ".config/containers/registries.conf.d/10-strict.conf";
    dir.write(drop_in, insecure(&name).replace("true", "false"));
    validate(&dir, &name, "", &[]).code(3);
    dir.write(drop_in.replace("10", "20").as_str(), insecure(&name));
    validate(&dir, &name, "", &[]).code(0);
    let fresh = Dir::new();
    fresh.write(
        ".config/docker/daemon.json",
        format!("{{\"insecure-registries\": [\"{name}\"]}}"),
    );
    validate(&fresh, &name, "", &[]).code(0);
}

#[test]
fn damaged_files_are_named_and_make_nothing_insecure() {
    let registry = unknown();
    let name = registry.name();
    let dir = Dir::new();
    let text = format!("{}[[registry]]\nlocation = [\n", insecure(&name));
    let conf = dir.write("mine.conf", &text);
    for (path, why) in [
        (conf.to_str().unwrap(), ": line "),
        ("missing.conf", ": there is no such file"),
    ] {
        let run = validate(&dir, &name, "", &[("CONTAINERS_REGISTRIES_CONF", path)]);
        run.code(2).one_error(&format!(
            "cannot use the file {path} of $CONTAINERS_REGISTRIES_CONF{why}"
        ));
    }
    dir.write(".config/containers/registries.conf", &text);
    dir.write(
        ".config/docker/daemon.json",
        format!("{{\"insecure-registries\": [\"{name}\""),
    );
    validate(&dir, &name, "", &[])
        .code(3)
        .has("registries.conf is ignored: line ")
        .has("daemon.json is ignored: not JSON as expected (line 1)");
}

#[test]
fn mirrors_are_not_followed_and_said_once() {
    let registry = unknown();
    let name = registry.name();
    let dir = Dir::new();
    let mirror = "[[registry.mirror]]\nlocation = \"127.0.0.1:1\"\n";
    let conf = format!("{}{mirror}{mirror}", insecure(&name));
    dir.write(".config/containers/registries.conf", conf);
    let run = validate(&dir, &name, "", &[]);
    run.code(0);
    let said = format!(
        "[WARN] [M_ID:1] registries.conf: {name} has mirrors; this is not followed, and {name} itself is read"
    );
    assert_eq!(run.stdout.matches(&said).count(), 1, "{}", run.stdout);
}

#[test]
fn credential_helpers_of_registries_conf_are_asked_in_their_order() {
    let mut content = Content::default();
    for repository in ["team/x", "team/y"] {
        content.multi(repository, "1", &["linux/amd64"], "a");
    }
    // me:secret
    let server = Server::start(move |request| {
        if request.header("authorization") == Some("Basic bWU6c2VjcmV0") {
            answer(&content, request)
        } else {
            crate::support::Reply::error(401, "UNAUTHORIZED", "log in")
                .header("WWW-Authenticate", "Basic realm=\"x\"")
        }
    });
    let name = server.name();
    let dir = Dir::new();
    let helper = dir.write(
        "bin/docker-credential-vault",
        "#!/bin/sh\necho '{\"Username\":\"me\",\"Secret\":\"secret\"}'\n",
    );
    std::fs::set_permissions(helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/bin:/usr/bin", dir.path().join("bin").display());
    let with = |helpers: &str| {
        dir.write(
            ".config/containers/registries.conf",
            format!("credential-helpers = {helpers}\n"),
        );
        validate(&dir, &name, "-debug", &[("PATH", &path)])
    };
    with("['containers-auth.json', 'vault']")
        .code(0)
        .has("credentials from the helper docker-credential-vault")
        .has_not("secret");
    // A wrong entry in a file comes first, or is not read at all.
    dir.write(
        ".docker/config.json",
        format!("{{\"auths\":{{\"{name}\":{{\"username\":\"me\",\"password\":\"wrong\"}}}}}}"),
    );
    with("['containers-auth.json', 'vault']").code(3);
    with("['vault']").code(0);
    with("[]").code(3);
}
