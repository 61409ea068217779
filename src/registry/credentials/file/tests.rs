use super::*;
use proptest::prelude::*;
use serde_json::json;

fn user(file: &Value, registry: &str, path: &str) -> Option<String> {
    let file = AuthFile::parse("test", file.to_string().as_bytes(), false).expect("readable");
    let repository = Repository {
        registry: registry.to_owned(),
        path: path.to_owned(),
    };
    file.find(&repository)
        .expect("an entry")
        .map(|credential| credential.user)
}

fn auth(user: &str) -> Value {
    json!({"auth": BASE64.encode(format!("{user}:p:w"))})
}

#[test]
fn the_longest_path_wins_and_ports_count() {
    let file = json!({"auths": {
        "reg.io": auth("host"), "reg.io/team": auth("team"), "reg.io/team/x": auth("repository"),
        "https://other.io/v2/": auth("url"), "reg.io:5000": auth("port"), "ns.io/team/v1": auth("v1"), "http://plain.io/v1/": auth("plain"),
    }});
    for (registry, path, expected) in [
        ("reg.io", "team/x", Some("repository")),
        ("reg.io", "team/y", Some("team")),
        ("reg.io", "teamwork/x", Some("host")),
        ("reg.io:5000", "team/x", Some("port")),
        ("reg.io:443", "x", None),
        ("other.io", "x", Some("url")),
        ("plain.io", "x", Some("plain")),
        ("ns.io", "team/v1/x", Some("v1")),
        ("ns.io", "team/x", None),
    ] {
        assert_eq!(
            user(&file, registry, path).as_deref(),
            expected,
            "{registry}/{path}"
        );
    }
}

#[test]
fn docker_hub_has_many_names() {
    for key in [
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
        "https://index.docker.io/v1/",
        "https://index.docker.io/v1",
        "index.docker.io/v1/",
    ] {
        assert_eq!(
            user(&json!({"auths": {key: auth("me")}}), "docker.io", "x").as_deref(),
            Some("me"),
            "{key}"
        );
    }
    let both =
        json!({"auths": {"https://index.docker.io/v1/": auth("old"), "docker.io": auth("exact")}});
    assert_eq!(user(&both, "docker.io", "x").as_deref(), Some("exact"));
}

#[test]
fn entries_that_tools_leave_behind_are_read() {
    let parse = |entry: Value| {
        let file = AuthFile::parse(
            "test",
            json!({"auths": {"reg.io": entry}}).to_string().as_bytes(),
            false,
        )
        .expect("readable");
        file.find(&Repository {
            registry: "reg.io".to_owned(),
            path: "x".to_owned(),
        })
    };
    assert_eq!(parse(json!({})), Ok(None));
    assert_eq!(parse(json!({"email": "x", "auth": ""})), Ok(None));
    let found = parse(json!({"auth": "dTpwOnc="}))
        .expect("readable")
        .expect("an entry");
    assert_eq!(
        found
            .basic()
            .map(|(user, password)| (user, password.expose())),
        Some(("u", "p:w"))
    );
    assert!(
        parse(json!({"auth": " dTpwOnc \n"}))
            .expect("readable")
            .is_some(),
        "without padding"
    );
    assert!(
        parse(json!({"Username": "u", "PASSWORD": "p"}))
            .expect("readable")
            .is_some()
    );
    // Azure: an empty password with an identity token.
    let azure = json!({"auth": BASE64.encode("00000000-0000-0000-0000-000000000000:"), "identitytoken": "t"});
    let found = parse(azure).expect("readable").expect("an entry");
    assert!(found.basic().is_none() && found.identity_token.is_some());
    assert!(
        parse(json!({"auth": BASE64.encode("user:")}))
            .expect("readable")
            .is_none(),
        "nothing to show"
    );
    for broken in ["%%%", "bm9jb2xvbg==", "dTpwCg=="] {
        let error = parse(json!({"auth": broken}))
            .expect_err("broken")
            .to_string();
        assert!(
            error.contains("reg.io") && !error.contains(broken),
            "{error}"
        );
    }
}

#[test]
fn a_broken_entry_for_another_registry_does_no_harm() {
    let file = json!({"auths": {"other.io": {"auth": "%%%"}, "third.io": 7, "reg.io": auth("me")}});
    assert_eq!(user(&file, "reg.io", "x").as_deref(), Some("me"));
    assert_eq!(
        user(&json!({"auths": null, "credHelpers": null}), "reg.io", "x"),
        None
    );
}

#[test]
fn a_helper_of_the_host_precedes_the_store() {
    let file = json!({"credHelpers": {"reg.io": "ecr-login", "ns.io/team": "team", "https://index.docker.io/v1/": "hub"}, "credsStore": "desktop"});
    let file = AuthFile::parse("test", file.to_string().as_bytes(), false).expect("readable");
    let helper = |registry: &str, path: &str| {
        file.helper(&Repository {
            registry: registry.to_owned(),
            path: path.to_owned(),
        })
    };
    assert_eq!(helper("reg.io", "x").as_deref(), Some("ecr-login"));
    assert_eq!(helper("docker.io", "x").as_deref(), Some("hub"));
    assert_eq!(helper("other.io", "x").as_deref(), Some("desktop"));
    assert_eq!(helper("ns.io", "team/x").as_deref(), Some("team"));
    assert_eq!(helper("ns.io", "teamwork/x").as_deref(), Some("desktop"));
}

#[test]
fn the_error_of_a_malformed_file_does_not_quote_it() {
    assert!(AuthFile::parse("f", b" \n", false).is_ok());
    for content in [
        &b"{\"auths\": {\"reg.io\": {\"auth\": hunter2}}}"[..],
        b"[]",
        b"hunter2",
    ] {
        let error = AuthFile::parse("/x/config.json", content, false)
            .expect_err("malformed")
            .to_string();
        assert!(
            error.contains("/x/config.json") && !error.contains("hunter2"),
            "{error}"
        );
    }
}

proptest! {
    #[test]
    fn no_file_causes_a_panic(bytes in any::<Vec<u8>>(), key in "\\PC{0,20}", auth in "\\PC{0,20}") {
        let _ = AuthFile::parse("f", &bytes, true);
        let file = json!({"auths": {key.clone(): {"auth": auth}}, "credHelpers": {key: 1}});
        let file = AuthFile::parse("f", file.to_string().as_bytes(), false).expect("an object");
        let repository = Repository { registry: "reg.io".to_owned(), path: "x/y".to_owned() };
        let _ = file.find(&repository);
        let _ = file.helper(&repository);
    }
}
