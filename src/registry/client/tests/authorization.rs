//! Rounds of authorization.

use super::*;

#[test]
fn an_anonymous_token_is_requested_once_and_sent_to_the_registry_only() {
    let script = Scripted::expecting(vec![
        (V2, challenged(CHALLENGE)),
        (TOKEN, reply(200, r#"{"token":"t"}"#)),
        (TAG, reply(200, MANIFEST)),
        (TAG, reply(200, MANIFEST)),
    ]);
    let (client, _) = over(&script, None);
    let digest = Digest::of(MANIFEST.as_bytes());
    assert_eq!(read(&client).expect("a manifest"), digest);
    assert_eq!(read(&client).expect("a manifest"), digest);
    script.finish();
    let requests = script.requests();
    assert_eq!(authorization(&requests[1]), "");
    assert_eq!(authorization(&requests[2]), "Bearer t");
}

#[test]
fn a_password_goes_to_hosts_that_require_basic() {
    for (probe, first) in [
        (challenged("Basic realm=\"x\""), None),
        (reply(200, "{}"), Some(challenged("Basic realm=\"x\""))),
    ] {
        let mut steps = vec![(V2, probe)];
        steps.extend(first.map(|first| (TAG, first)));
        steps.push((TAG, reply(200, MANIFEST)));
        steps.push((TAG, reply(200, MANIFEST)));
        let script = Scripted::expecting(steps);
        let (client, _) = over(&script, Some(("me", "secret")));
        assert!(read(&client).is_ok());
        assert!(read(&client).is_ok());
        script.finish();
        let last = script.requests().pop().expect("a request");
        assert_eq!(authorization(&last), "Basic bWU6c2VjcmV0");
    }
}

#[test]
fn a_refused_token_is_requested_once_more() {
    let script = Scripted::expecting(vec![
        (V2, challenged(CHALLENGE)),
        (TOKEN, reply(200, r#"{"token":"old"}"#)),
        (TAG, challenged(CHALLENGE)),
        (TOKEN, reply(200, r#"{"token":"new"}"#)),
        (TAG, reply(200, MANIFEST)),
    ]);
    let (client, _) = over(&script, None);
    assert!(read(&client).is_ok());
    script.finish();
}

#[test]
fn a_token_without_permission_is_not_requested_again() {
    let refusal = format!("{CHALLENGE},error=\"insufficient_scope\"");
    let script = Scripted::expecting(vec![
        (V2, challenged(CHALLENGE)),
        (TOKEN, reply(200, r#"{"token":"t"}"#)),
        (TAG, challenged(&refusal)),
    ]);
    let (client, _) = over(&script, None);
    assert!(matches!(read(&client), Err(Error::Denied(_))));
    script.finish();
}

#[test]
fn a_token_is_renewed_before_it_expires() {
    let script = Scripted::answering(|request| match request.url.path() {
        "/token" => reply(200, r#"{"token":"t","expires_in":300}"#),
        "/v2/" => challenged(CHALLENGE),
        _ => reply(200, MANIFEST),
    });
    let (client, clock) = over(&script, None);
    let tokens = || {
        let lines = script.lines();
        lines.iter().filter(|line| *line == TOKEN).count()
    };
    assert!(read(&client).is_ok());
    clock.advance(Duration::from_secs(289));
    assert!(read(&client).is_ok());
    assert_eq!(tokens(), 1);
    clock.advance(Duration::from_secs(1));
    assert!(read(&client).is_ok());
    assert_eq!(tokens(), 2);
}

#[test]
fn a_refusal_of_the_token_server_is_remembered_for_half_a_minute() {
    let script = Scripted::answering(|request| match request.url.path() {
        "/token" => reply(403, ""),
        _ => challenged(CHALLENGE),
    });
    let (client, clock) = over(&script, None);
    for _ in 0..3 {
        assert!(matches!(read(&client), Err(Error::Denied(_))));
    }
    let tokens = || {
        let lines = script.lines();
        lines.iter().filter(|line| *line == TOKEN).count()
    };
    assert_eq!(tokens(), 1);
    clock.advance(Duration::from_secs(30));
    assert!(read(&client).is_err());
    assert_eq!(tokens(), 2);
}

#[test]
fn the_target_of_a_redirect_has_its_own_authorization() {
    let script =
        Scripted::answering(
            |request| match (request.url.host_str(), request.url.path()) {
                (Some("other.io"), "/token") => reply(200, r#"{"token":"other"}"#),
                (Some("other.io"), _) if authorization(request) == "Bearer other" => {
                    reply(200, MANIFEST)
                }
                (Some("other.io"), _) => {
                    challenged(r#"Bearer realm="/token",service="o",scope="repository:y:pull""#)
                }
                (_, "/v2/") => challenged("Basic realm=\"x\""),
                _ => with_header(307, "location", "https://other.io/v2/y/manifests/1"),
            },
        );
    let (client, _) = over(&script, Some(("me", "secret")));
    assert!(read(&client).is_ok());
    let strangers = script.requests();
    let mut strangers = strangers
        .iter()
        .filter(|request| request.url.host_str() == Some("other.io"));
    assert!(strangers.all(|request| !authorization(request).starts_with("Basic")));
}

/// A registry with two back ends: the path of `one` sends the first challenge, all others the second.
fn two_back_ends(one: &'static str, other: &'static str) -> Scripted {
    Scripted::answering(move |request| {
        let wanted = match request.url.path() {
            "/token" => return reply(200, r#"{"token":"t"}"#),
            "/v2/team/x/manifests/one" => one,
            _ => other,
        };
        let is_right = match authorization(request) {
            "Basic bWU6c2VjcmV0" => wanted.starts_with("Basic"),
            "Bearer t" => wanted.starts_with("Bearer"),
            _ => false,
        };
        match (is_right, request.url.path()) {
            (true, _) => reply(200, MANIFEST),
            (false, _) => challenged(wanted),
        }
    })
}

#[test]
fn back_ends_of_one_host_may_require_different_schemes() {
    for (one, other) in [
        (CHALLENGE, "Basic realm=\"x\""),
        ("Basic realm=\"x\"", CHALLENGE),
    ] {
        let script = two_back_ends(one, other);
        let (client, _) = over(&script, Some(("me", "secret")));
        for tag in ["1", "one", "2", "one"] {
            assert!(manifest(&client, "reg.io", tag).is_ok(), "{one} {tag}");
        }
        let sent = script.lines().len();
        assert!(sent <= 13, "each image costs one refusal at most: {sent}");
    }
}

#[test]
fn every_scheme_is_tried_once_per_image() {
    // The registry refuses everything, and always offers both schemes.
    let both = format!("Basic realm=\"x\", {CHALLENGE}");
    let script = Scripted::answering(move |request| match request.url.path() {
        "/token" => reply(200, r#"{"token":"t"}"#),
        _ => challenged(&both),
    });
    let (client, _) = over(&script, Some(("me", "secret")));
    assert!(matches!(read(&client), Err(Error::Denied(_))));
    let lines = script.lines();
    let manifests = lines.iter().filter(|line| *line == TAG).count();
    assert_eq!(manifests, 3, "a token, a new one, the password: {lines:?}");
}

#[test]
fn a_404_counts_only_after_login_if_the_registry_requires_one() {
    let script = Scripted::answering(|request| match request.url.path() {
        "/v2/" => challenged("Basic realm=\"x\""),
        _ => not_found(),
    });
    let (client, _) = over(&script, None);
    let error = read(&client).expect_err("not logged in");
    assert!(matches!(error, Error::Denied(_)));
    assert!(error.to_string().contains("log in to reg.io"), "{error}");
    let (client, _) = over(&script, Some(("me", "secret")));
    assert!(matches!(read(&client), Err(Error::Missing(_))));
}

#[test]
fn a_404_is_retried_once_with_credentials() {
    let script = Scripted::answering(|request| match request.url.path() {
        "/v2/" => reply(200, "{}"),
        "/v2/team/x/manifests/1" if !authorization(request).is_empty() => reply(200, MANIFEST),
        _ => not_found(),
    });
    let (client, _) = over(&script, Some(("me", "secret")));
    assert!(matches!(
        manifest(&client, "reg.io", "2"),
        Err(Error::Missing(_))
    ));
    assert!(read(&client).is_ok());
    assert!(read(&client).is_ok());
    assert_eq!(
        script.lines().len(),
        1 + 2 + 2 + 1,
        "remembered for the host"
    );
    let (client, _) = over(&script, None);
    assert!(matches!(read(&client), Err(Error::Missing(_))));
}

#[test]
fn a_secret_that_a_server_repeats_is_not_printed() {
    for body in [
        "you sent Basic bWU6c2VjcmV0",
        "wrong password: secret",
        r#"{"errors":[{"code":"UNAUTHORIZED","message":"got bWU6c2VjcmV0"}]}"#,
    ] {
        for status in [401, 403, 500] {
            let script = Scripted::answering(move |request| match request.url.path() {
                "/v2/" => challenged(CHALLENGE),
                _ => reply(status, body),
            });
            let (client, _) = over(&script, Some(("me", "secret")));
            let error = read(&client).expect_err("refused").to_string();
            assert!(error.contains("<redacted>"), "{error}");
            assert!(!error.contains("bWU6c2VjcmV0"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

#[test]
fn a_wrong_password_is_sent_twice_per_run() {
    let basic = "Basic realm=\"x\"";
    for (probe, token_server, most) in [
        (challenged(basic), false, 2),
        (challenged(CHALLENGE), true, 2),
        (reply(200, "{}"), false, 3),
    ] {
        let script = Scripted::answering({
            let probe = probe.clone();
            move |request| match request.url.path() {
                "/v2/" if authorization(request).is_empty() => probe.clone(),
                "/token" => reply(401, ""),
                _ if token_server => challenged(CHALLENGE),
                _ => challenged(basic),
            }
        });
        let (client, _) = over(&script, Some(("me", "wrong")));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let client = &client;
                scope.spawn(move || {
                    for image in 0..10 {
                        let repository = Repository {
                            registry: "reg.io".to_owned(),
                            path: format!("team/x{thread}-{image}"),
                        };
                        let tag = Reference::Tag("1".to_owned());
                        let result =
                            client.manifest(Side::Destination, &repository, &tag, &no_log());
                        assert!(matches!(result, Err(Error::Denied(_))));
                    }
                });
            }
        });
        let requests = script.requests();
        let with_password = |request: &&Request| authorization(request).starts_with("Basic");
        let sent = requests.iter().filter(with_password).count();
        assert_eq!(sent, most, "{probe:?}");
    }
}

#[test]
fn a_valid_password_is_still_used_after_a_denied_repository() {
    let basic = "Basic realm=\"x\"";
    for token_server in [false, true] {
        let script = Scripted::answering(move |request| {
            let with_password = authorization(request).starts_with("Basic");
            match request.url.path() {
                "/v2/" if with_password => reply(200, "{}"),
                "/v2/" if token_server => challenged(CHALLENGE),
                // A token server may refuse tokens for denied repositories.
                "/token" if request.url.as_str().contains("private") => reply(401, ""),
                "/token" => reply(200, r#"{"token":"t"}"#),
                path if !path.contains("private") && !authorization(request).is_empty() => {
                    reply(200, MANIFEST)
                }
                _ => challenged(if token_server { CHALLENGE } else { basic }),
            }
        });
        let (client, _) = over(&script, Some(("me", "secret")));
        for number in 0..10 {
            let repository = Repository {
                registry: "reg.io".to_owned(),
                path: format!("private/x{number}"),
            };
            let tag = Reference::Tag("1".to_owned());
            let result = client.manifest(Side::Destination, &repository, &tag, &no_log());
            let error = result.expect_err("private").to_string();
            assert!(!error.contains("skipped"), "{error}");
        }
        assert!(read(&client).is_ok());
    }
}

#[test]
fn a_broken_token_server_does_not_invalidate_the_password() {
    // Artifactory: the realm is on the same host, and refuses every request.
    let both = r#"Bearer realm="/token",service="art", Basic realm="x""#;
    let script = Scripted::answering(move |request| match request.url.path() {
        "/token" => reply(401, ""),
        _ if authorization(request).is_empty() => challenged(both),
        _ => reply(200, MANIFEST),
    });
    let (client, _) = over(&script, Some(("me", "secret")));
    assert!(read(&client).is_ok());
}
