//! Authentication by real registries: htpasswd, and tokens that the registry verifies; and the places of
//! credentials.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use crate::support::registry::Setup;
use crate::support::tls::Pair;
use crate::support::{Content, Dir, Registry, Reply, Run, Server, answer};

/// `alice` with the password `s3cret:with:colons`, by bcrypt.
const HTPASSWD: &str = include_str!("../fixtures/htpasswd");
const PAIR: &str = "alice:s3cret:with:colons";

/// An image, and its mirror in the same registry, which has one set of credentials for both.
fn content() -> Content {
    let mut content = Content::default();
    for repository in ["team/x", "team/y"] {
        content.multi(repository, "1", &["linux/amd64", "linux/arm64"], "a");
    }
    content
}

fn basic(pair: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

fn auth_file(registry: &str, pair: &str) -> String {
    json!({"auths": {registry: {"auth": BASE64_STANDARD.encode(pair)}}}).to_string()
}

fn with_password() -> Registry {
    let dir = Dir::new();
    let path = dir.write("htpasswd", HTPASSWD);
    let auth = format!(
        "auth:\n  htpasswd: {{realm: test, path: {}}}\n",
        path.display()
    );
    let registry = Registry::with(
        dir,
        &Setup {
            auth,
            authorization: Some(basic(PAIR)),
            ..Setup::default()
        },
    );
    registry.fill(&content());
    registry
}

fn validate(dir: &Dir, registry: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = dir
        .validate()
        .args(&format!("-debug -s {registry} -d {registry}"));
    for (name, value) in variables {
        command = command.env(name, value);
    }
    let run = command.stdin("team/x team/y 1\n").run();
    run.has_not("s3cret").has_not(&BASE64_STANDARD.encode(PAIR));
    run
}

#[test]
fn a_real_registry_with_a_password() {
    let registry = with_password();
    let name = registry.name();
    let dir = Dir::new();
    validate(&dir, &name, &[])
        .code(3)
        .has("401 Unauthorized (UNAUTHORIZED: authentication required)")
        .has(&format!("log in to {name}"));
    let both = [
        ("SOURCE_USERNAME", "alice"),
        ("SOURCE_PASSWORD", "s3cret:with:colons"),
        ("DEST_USERNAME", "alice"),
        ("DEST_PASSWORD", "s3cret:with:colons"),
    ];
    validate(&dir, &name, &both).code(0).has("PASS");
    let unnamed = dir
        .validate()
        .env("DEST_USERNAME", "alice")
        .env("DEST_PASSWORD", "s3cret:with:colons");
    unnamed
        .stdin("nothing\n")
        .run()
        .has("[WARN] DEST_USERNAME and DEST_PASSWORD are used for docker.io only, because neither -d nor DEST_REGISTRY names");
    validate(&dir, &name, &both[..2])
        .code(3)
        .has("NOT VALIDATED");
    dir.write("mine.json", auth_file(&name, PAIR));
    validate(&dir, &name, &[("REGISTRY_AUTH_FILE", "mine.json")]).code(0);
    validate(
        &dir,
        &name,
        &[("DOCKER_AUTH_CONFIG", &auth_file(&name, PAIR))],
    )
    .code(0);
    for place in [".config/containers/auth.json", ".docker/config.json"] {
        dir.write(place, auth_file(&name, PAIR));
        validate(&dir, &name, &[]).code(0).has("PASS");
        std::fs::remove_file(dir.path().join(place)).unwrap();
    }
    dir.write(
        "run/containers/auth.json",
        auth_file(&format!("{name}/team"), PAIR),
    );
    validate(
        &dir,
        &name,
        &[("XDG_RUNTIME_DIR", dir.path().join("run").to_str().unwrap())],
    )
    .code(0);
    dir.write(".docker/config.json", auth_file(&name, "alice:wrong"));
    validate(&dir, &name, &[])
        .code(3)
        .has("rejected the credentials from ")
        .has(".docker/config.json")
        .has("log in again");
    // Podman's file before docker's.
    dir.write(".config/containers/auth.json", auth_file(&name, PAIR));
    validate(&dir, &name, &[]).code(0);
    // An explicit file is the only one.
    dir.write("empty.json", "");
    validate(&dir, &name, &[("REGISTRY_AUTH_FILE", "empty.json")])
        .code(3)
        .has("no credentials were found for ");
}

#[test]
fn broken_files_and_entries() {
    let registry = with_password();
    let name = registry.name();
    let dir = Dir::new();
    let mut file: Value = serde_json::from_str(&auth_file(&name, PAIR)).unwrap();
    file["auths"]["other.test"] = json!({"auth": "%%%"});
    file["auths"]["third.test"] = json!({});
    dir.write(".docker/config.json", file.to_string());
    validate(&dir, &name, &[]).code(0).has("PASS");
    dir.write(
        ".docker/config.json",
        format!(r#"{{"auths":{{"{name}":{{"auth":"%%%s3cret"}}}}}}"#),
    );
    validate(&dir, &name, &[])
        .code(3)
        .has(&format!("the entry \"{name}\" of the credential file "))
        .has("\"auth\" is not valid base64");
    dir.write(".docker/config.json", "{\"auths\": s3cret");
    validate(&dir, &name, &[])
        .code(3)
        .has(".docker/config.json: not valid JSON (line 1, column ");
}

#[test]
fn credential_helpers() {
    use std::os::unix::fs::PermissionsExt as _;
    let registry = with_password();
    let name = registry.name();
    let dir = Dir::new();
    let path = format!(
        "{}:{}",
        dir.path().join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let helper = |suffix: &str, script: &str| {
        let file = dir.write(
            &format!("bin/docker-credential-{suffix}"),
            format!("#!/bin/sh\necho called >>calls\n{script}"),
        );
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let knows = format!(
        "read -r server || :\n[ \"$1 $server\" = \"get {name}\" ] && echo '{{\"ServerURL\":\"x\",\"Username\":\"alice\",\"Secret\":\"s3cret:with:colons\"}}'\n"
    );
    helper("good", &knows);
    helper(
        "none",
        "echo 'credentials not found in native keychain'\nexit 1\n",
    );
    helper("bad", "echo 'the vault is sealed'\nexit 1\n");
    helper("slow", "exec sleep 100\n");
    let configured = |config: Value| {
        dir.write(".docker/config.json", config.to_string());
        let _ = std::fs::remove_file(dir.path().join("calls"));
        let command = dir
            .validate()
            .args(&format!("-f - -j 4 --timeout 2s -s {name} -d {name}"))
            .env("PATH", &path);
        command.stdin("team/x team/y 1\n".repeat(20)).run()
    };
    configured(json!({"credHelpers": {&name: "good"}}))
        .code(0)
        .has("20 passed")
        .has_not("WARN");
    assert_eq!(dir.read("calls"), "called\n", "once for each registry");
    configured(json!({"credsStore": "good"}))
        .code(0)
        .has("20 passed");
    let auths = serde_json::from_str::<Value>(&auth_file(&name, PAIR)).unwrap()["auths"].clone();
    configured(json!({"credsStore": "none"}))
        .code(3)
        .has("(docker-credential-none from ")
        .has("/.docker/config.json returned no password; not found: ");
    configured(json!({"credsStore": "none", "auths": auths}))
        .code(0)
        .has_not("WARN");
    configured(json!({"credHelpers": {&name: "bad"}, "auths": auths}))
        .code(0)
        .has("[WARN] ")
        .has("the credential helper \"bad\" from ")
        .has("the vault is sealed");
    configured(json!({"credsStore": "missing"}))
        .code(3)
        .has("docker-credential-missing: No such file")
        .has("docker-credential-missing from ")
        .has("20 not validated");
    configured(json!({"credsStore": "slow", "auths": auths}))
        .code(0)
        .has("did not finish within 2 s");
    configured(json!({"credsStore": "../bin/docker-credential-good"}))
        .code(3)
        .has("a helper name must not contain a path");
}

#[test]
fn a_login_in_another_window_counts_for_the_next_line() {
    let dir = Dir::new();
    let (mut content, path) = (content(), dir.path().join(".docker/config.json"));
    content.multi("team/x", "2", &["linux/amd64"], "a");
    let (source, own) = (Server::of(content.clone()), std::sync::OnceLock::new());
    let name = std::sync::Arc::new(own);
    let registry = name.clone();
    let destination = Server::start(move |request| {
        let is_manifest = request.path.contains("/manifests/1");
        if request.header("authorization") == Some(&basic(PAIR)) {
            return answer(&content, request);
        }
        if is_manifest {
            let name: &String = registry.get().unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, auth_file(name, PAIR)).unwrap();
            // Files are looked at once a second.
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
        Reply::error(401, "UNAUTHORIZED", "log in").header("www-authenticate", "Basic realm=\"x\"")
    });
    name.set(destination.name()).unwrap();
    let run = dir
        .validate()
        .args(&format!(
            "-f - -j 1 -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .stdin("team/x team/x 1\nteam/x team/x 2\n")
        .run();
    run.has("no credentials were found for")
        .has(&format!("PASS [{}/team/x:2]", source.name()));
}

/// A JSON web token that a registry with this certificate as its root bundle accepts.
fn signed_token(pair: &Pair, repositories: &[&str], actions: &[&str]) -> String {
    let (certificate, key) = pair.der();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let header =
        json!({"typ": "JWT", "alg": "ES256", "x5c": [BASE64_STANDARD.encode(certificate)]});
    let access: Vec<Value> = repositories
        .iter()
        .map(|name| json!({"type": "repository", "name": name, "actions": actions}))
        .collect();
    let claims = json!({
        "iss": "issuer", "sub": "alice", "aud": "service", "jti": "1",
        "iat": now - 10, "nbf": now - 10, "exp": now + 300, "access": access,
    });
    let signed = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(header.to_string()),
        BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let random = SystemRandom::new();
    let key =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &random).expect("a key");
    let signature = key.sign(&random, signed.as_bytes()).expect("a signature");
    format!(
        "{signed}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref())
    )
}

#[test]
fn a_real_registry_that_verifies_tokens() {
    let pair = std::sync::Arc::new(Pair::self_signed(&["issuer"], false));
    let signer = pair.clone();
    let tokens = Server::start(move |request| {
        let allowed = request.header("authorization") == Some(&basic(PAIR));
        let mut repositories = vec!["team/x", "team/y"];
        repositories.retain(|name| {
            let scope = format!("scope=repository%3A{}%3Apull", name.replace('/', "%2F"));
            allowed && request.path.contains(&scope)
        });
        let token = signed_token(&signer, &repositories, &["pull"]);
        Reply::new(200).body(json!({"token": token}).to_string())
    });
    let dir = Dir::new();
    let bundle = dir.write("bundle.pem", &pair.pem);
    let auth = format!(
        "auth:\n  token: {{realm: \"http://{}/token\", service: service, issuer: issuer, rootcertbundle: {}}}\n",
        tokens.name(),
        bundle.display()
    );
    let push = format!(
        "Bearer {}",
        signed_token(&pair, &["team/x", "team/y"], &["pull", "push"])
    );
    let registry = Registry::with(
        dir,
        &Setup {
            auth,
            authorization: Some(push),
            ..Setup::default()
        },
    );
    registry.fill(&content());
    let dir = Dir::new();
    dir.write(".docker/config.json", auth_file(&registry.name(), PAIR));
    // Two lines read `team/x` on both sides, or on one.
    let run = dir
        .validate()
        .args(&format!("-f - -s {0} -d {0}", registry.name()))
        .stdin("team/x team/x 1\nteam/x team/y 1\n")
        .run();
    run.code(0).has("2 images: 2 passed");
    let asked: Vec<String> = tokens.requests().into_iter().map(|r| r.path).collect();
    let of = |name: &str| {
        format!("/token?service=service&scope=repository%3Ateam%2F{name}%3Apull&account=alice")
    };
    assert_eq!(asked, [of("x"), of("y")], "one token for each repository");
    // Without the right, the registry refuses the token.
    let run = validate(&Dir::new(), &registry.name(), &[]);
    run.code(3)
        .has("401 Unauthorized (UNAUTHORIZED: authentication required)")
        .has("private or does not exist");
}

#[test]
fn missing_credentials_are_explained() {
    let registry = with_password();
    let name = registry.name();
    let (host, port) = name.split_once(':').unwrap();
    let dir = Dir::new();
    let file = |place: &str| dir.path().join(place).display().to_string();
    let all = [
        file(".config/containers/auth.json"),
        file(".docker/config.json"),
        file(".dockercfg"),
    ];
    let run = validate(&dir, &name, &[("XDG_RUNTIME_DIR", "/nowhere")]);
    run.code(3).has(&format!(
        "no credentials were found for {name} (not found: /nowhere/containers/auth.json, {}): log in to {name}",
        all.join(", ")
    ));
    let docker = &all[1];
    for (content, expected) in [
        (
            "{}".to_owned(),
            format!("{docker} has no \"auths\"; not found: "),
        ),
        (
            auth_file(host, PAIR),
            format!("{docker} has an entry for {host}: the port differs; change it to {name}; "),
        ),
        (
            auth_file(&format!("{name}/other"), PAIR),
            format!(
                "{docker} has an entry for {name}/other: it is for another namespace of the registry; "
            ),
        ),
        (
            auth_file(&format!("127.0.0.11:{port}"), PAIR),
            format!("{docker} has an entry for 127.0.0.11:{port}: did you mean {name}?; "),
        ),
        (
            auth_file("quay.io", PAIR),
            format!("({docker} has entries for quay.io; not found: "),
        ),
    ] {
        dir.write(".docker/config.json", content);
        validate(&dir, &name, &[]).code(3).has(&expected);
    }
    dir.write(".docker/config.json", auth_file("LocalHost", PAIR));
    let run = dir
        .validate()
        .args(&format!("-s localhost:{port} -d localhost:{port}"))
        .stdin("team/x team/y 1\n")
        .run();
    run.code(3).has(&format!(
        "LocalHost: the port differs; change it to localhost:{port}"
    ));
}

#[test]
fn variables_that_cannot_be_used_are_named_at_the_start() {
    let registry = with_password();
    let name = registry.name();
    let dir = Dir::new();
    for (set, unset) in [
        ("SOURCE_USERNAME", "SOURCE_PASSWORD"),
        ("DEST_PASSWORD", "DEST_USERNAME"),
    ] {
        validate(&dir, &name, &[(set, "s3cret")])
            .code(3)
            .has(&format!(
                "[WARN] ${set} is ignored, because ${unset} is not set"
            ))
            .has(&format!(
                "no credentials were found for {name} (${set} is ignored, because ${unset} is not set; "
            ));
    }
    validate(&dir, &name, &[("REGISTRY_AUTH_FILE", "missing.json")])
        .code(2)
        .one_error("cannot read the credential file missing.json of $REGISTRY_AUTH_FILE: no such file; fix the file or $REGISTRY_AUTH_FILE, or unset $REGISTRY_AUTH_FILE");
    dir.write("broken.json", "{\"auths\": s3cret");
    std::fs::create_dir(dir.path().join("directory")).unwrap();
    for (file, why) in [
        ("broken.json", "not valid JSON (line 1, column 11)"),
        ("directory", "Is a directory"),
    ] {
        let run = validate(&dir, &name, &[("REGISTRY_AUTH_FILE", file)]);
        run.code(2)
            .one_error(&format!("cannot read the credential file {file}: {why}"));
        assert!(run.stderr.contains("or unset $REGISTRY_AUTH_FILE"));
        assert!(!run.stderr.contains("s3cret"));
    }
}

#[test]
fn debug_names_the_file_and_no_home_is_the_home_of_the_password_database() {
    let registry = with_password();
    let name = registry.name();
    let dir = Dir::new();
    let path = dir.write(".docker/config.json", auth_file(&name, PAIR));
    let run = validate(&dir, &name, &[]);
    let line = format!("{name}: credentials from {}", path.display());
    run.code(0).has(&line);
    assert_eq!(run.stdout.matches(&line).count(), 1, "{}", run.stdout);
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let user = std::process::Command::new("id").arg("-u").output().unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    let Some(home) = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2) == Some(&user.trim())).then(|| fields[5].to_owned())
    }) else {
        return;
    };
    validate(&dir, &name, &[("HOME", "")])
        .code(3)
        .has(&format!("{home}/.docker/config.json"));
}
