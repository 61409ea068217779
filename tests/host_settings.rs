//! Settings of other tools on this host: insecure registries, credential helpers, mirrors.

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
    // On one side only.
    for (sides, code) in [
        (format!("source={name},destination={name}"), 0),
        (format!("source={name}"), 3),
        (format!("destination={name}"), 3),
    ] {
        validate(&dir, &name, &format!("--insecure {sides}"), &[]).code(code);
    }
    for wrong in [
        "other=reg.io",
        "source=",
        "https://reg.io",
        "reg.io/team",
        "me:secret@reg.io",
        ",",
    ] {
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
        format!("{{\"insecure-registries\": [\"https://{name}/\"]}}"),
    );
    validate(&fresh, &name, "", &[]).code(0);
}

#[test]
fn the_other_variables_of_registries_conf() {
    let registry = unknown();
    let name = registry.name();
    let dir = Dir::new();
    let yes = dir.write("yes.conf", insecure(&name));
    let no = dir.write("no.conf", insecure(&name).replace("true", "false"));
    let (yes, no) = (yes.to_str().unwrap(), no.to_str().unwrap());
    let (main, old) = ("CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH");
    let last = "CONTAINERS_REGISTRIES_CONF_OVERRIDE";
    for (variables, code) in [
        (&[(old, yes)][..], 0),
        (&[(main, no), (old, yes)], 3),
        (&[(last, yes)], 0),
        (&[(main, yes), (last, no)], 3),
    ] {
        validate(&dir, &name, "", variables).code(code);
    }
    for variable in [old, last] {
        validate(&dir, &name, "", &[(variable, "missing.conf")])
            .code(2)
            .one_error(&format!(
                "cannot use the file missing.conf of ${variable}: there is no such file"
            ));
    }
}

#[test]
fn the_longest_matching_entry_decides_whether_a_host_is_insecure() {
    let registry = unknown();
    let alias = registry.alias();
    let (host, _) = alias.split_once(':').unwrap();
    let dir = Dir::new();
    let strict = insecure(&alias).replace("true", "false");
    for (text, code) in [
        (insecure(&alias), 0),
        (strict.clone(), 3),
        (format!("{strict}{}", insecure(&format!("*.{host}"))), 3),
        // Of a namespace it is not followed, and said so.
        (insecure(&format!("{alias}/team")), 3),
    ] {
        dir.write(".config/containers/registries.conf", &text);
        let run = validate(&dir, &alias, "", &[]);
        run.code(code);
        let said = run.stdout.contains(&format!(
            "registries.conf: insecure = true of {alias}/team is ignored, because it must be set for a whole host; use --insecure {alias}"
        ));
        assert_eq!(said, text.contains("/team"), "{}", run.stdout);
    }
}

#[test]
fn the_token_server_of_an_insecure_host_may_have_another_port() {
    let pair = Pair::self_signed(&["127.0.0.1", "localhost"], false);
    let tokens = Server::start_tls(pair.server(), |_| {
        crate::support::Reply::new(200).body("{\"token\":\"good\"}")
    });
    let mut content = Content::default();
    for repository in ["team/x", "team/y"] {
        content.multi(repository, "1", &["linux/amd64", "linux/arm64"], "a");
    }
    let realms = [tokens.name(), tokens.alias()];
    for (realm, code) in realms.iter().zip([0, 3]) {
        let (content, realm) = (content.clone(), realm.clone());
        let registry = Server::start_tls(pair.server(), move |request| {
            match request.header("authorization") {
                Some("Bearer good") => answer(&content, request),
                _ => crate::support::Reply::error(401, "UNAUTHORIZED", "log in").header(
                    "www-authenticate",
                    format!("Bearer realm=\"https://{realm}/token\""),
                ),
            }
        });
        let name = registry.name();
        let dir = Dir::new();
        validate(&dir, &name, &format!("--insecure {name}"), &[]).code(code);
        assert!(!tokens.requests().is_empty());
        validate(&dir, &name, "", &[]).code(3);
    }
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
        .has_not("Error {")
        .has("registries.conf is ignored: line ")
        .has("daemon.json is ignored: not valid JSON, or not in the expected format (line 1)");
    // What is of another type is no yes.
    dir.write(
        ".config/containers/registries.conf",
        insecure(&name).replace("true", "\"true\""),
    );
    validate(&dir, &name, "", &[])
        .code(3)
        .has("registries.conf is ignored: line 3: insecure must be true or false");
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
        "[WARN] [M_ID:1] registries.conf: {name} has mirrors; image-tools ignores this and reads {name} itself"
    );
    assert_eq!(run.stdout.matches(&said).count(), 1, "{}", run.stdout);
}

#[test]
fn credential_helpers_of_registries_conf_run_in_order() {
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
