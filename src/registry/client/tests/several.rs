//! One token for the repositories of several lines.

use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::*;

/// A token server's response to these scopes (names of repositories); 400 without a token.
type Grants = dyn Fn(&[String]) -> Reply + Send + Sync;

/// The scopes of a token request, as names of repositories.
fn scopes(request: &Request) -> Vec<String> {
    let form = request.form.as_ref().map(|form| form.expose().to_owned());
    let pairs: Vec<(String, String)> = match &form {
        Some(form) => url::form_urlencoded::parse(form.as_bytes())
            .into_owned()
            .collect(),
        None => request.url.query_pairs().into_owned().collect(),
    };
    let scopes = pairs.into_iter().filter(|(name, _)| name == "scope");
    scopes
        .flat_map(|(_, scope)| {
            scope
                .split(' ')
                .map(|scope| {
                    let name = scope.strip_prefix("repository:").expect("a repository");
                    name.strip_suffix(":pull").expect("for reading").to_owned()
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// An opaque token for these repositories.
fn opaque(names: &[String]) -> Reply {
    let token = names.join("+").replace('/', "_");
    reply(200, &format!(r#"{{"token":"{token}","expires_in":300}}"#))
}

/// A JSON web token for these repositories.
fn web_token(names: &[String]) -> Reply {
    let access: Vec<String> = names
        .iter()
        .map(|name| format!(r#"{{"type":"repository","name":"{name}","actions":["pull"]}}"#))
        .collect();
    let claims = format!(r#"{{"access":[{}]}}"#, access.join(","));
    let payload = BASE64_URL_SAFE_NO_PAD.encode(claims);
    reply(200, &format!(r#"{{"token":"h.{payload}.s"}}"#))
}

fn is_good(token: &str, name: &str) -> bool {
    let opaque = token.strip_prefix("Bearer ").unwrap_or_default();
    let payload = token.split('.').nth(1).unwrap_or_default();
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    let payload = String::from_utf8(payload).unwrap_or_default();
    opaque
        .split('+')
        .any(|known| known == name.replace('/', "_"))
        || payload.contains(&format!(r#""name":"{name}""#))
}

/// A registry with a token server; `refusal`: its response to a token without permission.
fn registry(
    grants: impl Fn(&[String]) -> Reply + Send + Sync + 'static,
    refusal: Reply,
) -> Scripted {
    let grants: Box<Grants> = Box::new(grants);
    Scripted::answering(move |request| {
        let path = request.url.path();
        if path == "/token" {
            return grants(&scopes(request));
        }
        let name = path.strip_prefix("/v2/").unwrap_or_default();
        let Some((name, _)) = name.split_once("/manifests/") else {
            return challenged(CHALLENGE);
        };
        match authorization(request) {
            "" => challenged(CHALLENGE),
            token if !is_good(token, name) => refusal.clone(),
            _ if name.contains("missing") => not_found(),
            _ => reply(200, MANIFEST),
        }
    })
}

fn insufficient() -> Reply {
    challenged(&format!("{CHALLENGE},error=\"insufficient_scope\""))
}

fn named(number: usize) -> String {
    format!("team/x{number}")
}

fn repository(path: &str) -> Repository {
    Repository {
        registry: "reg.io".to_owned(),
        path: path.to_owned(),
    }
}

/// Announces all repositories and reads each; returns the classes of the results.
fn read_all(client: &Client, names: &[String]) -> Vec<String> {
    for name in names {
        client.announce(Side::Destination, &repository(name));
    }
    names.iter().map(|name| read_one(client, name)).collect()
}

fn read_one(client: &Client, name: &str) -> String {
    let tag = Reference::Tag("1".to_owned());
    let result = client.manifest(Side::Destination, &repository(name), &tag, &no_log());
    match result {
        Ok(_) => "passed".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(named).collect()
}

/// The scopes of all token requests.
fn batches(script: &Scripted) -> Vec<Vec<String>> {
    let requests = script.requests();
    let tokens = requests
        .iter()
        .filter(|request| request.url.path() == "/token");
    tokens.map(scopes).collect()
}

/// The number of manifest requests beyond one per image.
fn surplus(script: &Scripted, images: usize) -> usize {
    let requests = script.requests();
    let is_manifest = |request: &&Request| request.url.path().contains("/manifests/");
    requests.iter().filter(is_manifest).count() - images
}

#[test]
fn a_token_batch_has_the_scopes_of_the_next_lines() {
    for grants in [opaque, web_token] {
        let script = registry(grants, insufficient());
        let (client, _) = over(&script, None);
        let names = names(200);
        assert!(
            read_all(&client, &names)
                .iter()
                .all(|result| result == "passed")
        );
        let batches = batches(&script);
        assert_eq!(batches[0], names[..4], "the first is small");
        assert!(batches.iter().all(|batch| batch.len() <= 32));
        assert!(batches.len() <= 10, "{} requests", batches.len());
        let all = batches.concat();
        assert_eq!(all, names, "each once, in the list's order");
        assert_eq!(surplus(&script, 200), 0);
    }
}

#[test]
fn a_url_has_at_most_4_kib() {
    let script = registry(opaque, insufficient());
    let (client, _) = over(&script, None);
    let names: Vec<String> = (0..60)
        .map(|number| format!("{}/x{number}", "long/".repeat(40).trim_end_matches('/')))
        .collect();
    assert!(
        read_all(&client, &names)
            .iter()
            .all(|result| result == "passed")
    );
    let requests = script.requests();
    let longest = requests.iter().map(|request| request.url.as_str().len());
    let longest = longest.max().expect("requests");
    assert!((2000..=4096).contains(&longest), "{longest}");
}

#[test]
fn a_token_server_that_rejects_a_batch_gets_single_requests_afterwards() {
    for status in [
        400, 401, 403, 404, 405, 413, 414, 429, 431, 500, 501, 502, 503,
    ] {
        let refuse = move |names: &[String]| {
            if names.len() > 1 {
                reply(status, "duplicate field `scope`")
            } else {
                opaque(names)
            }
        };
        let script = registry(refuse, insufficient());
        let (client, _) = over(&script, None);
        let names = names(50);
        let results = read_all(&client, &names);
        assert!(results.iter().all(|result| result == "passed"), "{status}");
        let refused = batches(&script)
            .iter()
            .filter(|batch| batch.len() > 1)
            .count();
        assert_eq!(refused, 1, "{status}");
        assert_eq!(surplus(&script, 50), 0, "{status}");
    }
}

#[test]
fn tokens_that_lack_scopes_cost_few_requests() {
    let servers: [&'static Grants; 6] = [
        &|names| opaque(&names[..1]),
        &|names| opaque(&names[names.len() - 1..]),
        &|names| web_token(&names[..1]),
        &|names| opaque(&names[..names.len().min(8)]),
        &|names| match names.len() {
            1 => opaque(names),
            _ => opaque(&["nothing".to_owned()]),
        },
        &|names| match names.len() {
            1 => opaque(names),
            _ => reply(200, "<html>"),
        },
    ];
    for (index, grants) in servers.into_iter().enumerate() {
        for refusal in [
            insufficient(),
            challenged(CHALLENGE),
            challenged("Basic realm=\"harbor\""),
            reply(403, ""),
            not_found(),
        ] {
            let script = registry(grants, refusal.clone());
            let (client, _) = over(&script, None);
            let results = read_all(&client, &names(60));
            let passed = results.iter().filter(|result| *result == "passed").count();
            assert_eq!(passed, 60, "{index} {refusal:?} {results:?}");
            let sent = script.lines().len();
            assert!(sent <= 1 + 120 + 10, "{index} {refusal:?}: {sent}");
        }
    }
}

#[test]
fn a_denied_scope_in_a_batch_is_denied_as_if_alone() {
    let denied = |name: &String| name.ends_with('3');
    for is_web_token in [false, true] {
        let grants = move |names: &[String]| {
            let allowed: Vec<String> = names.iter().filter(|name| !denied(name)).cloned().collect();
            match (is_web_token, allowed.is_empty()) {
                (false, true) => opaque(&["nothing".to_owned()]),
                (false, false) => opaque(&allowed),
                (true, _) => web_token(&allowed),
            }
        };
        for refusal in [
            insufficient(),
            challenged(CHALLENGE),
            reply(403, ""),
            not_found(),
        ] {
            let single = registry(grants, refusal.clone());
            let (client, _) = over(&single, None);
            let names = names(100);
            // No repository is announced, so each gets its own token.
            let expected: Vec<String> = names.iter().map(|name| read_one(&client, name)).collect();
            let script = registry(grants, refusal.clone());
            let (client, _) = over(&script, None);
            assert_eq!(read_all(&client, &names), expected);
            let (several, single) = (script.lines().len(), single.lines().len());
            assert!(several <= single + 10, "{several} {single}");
            if is_web_token {
                assert!(several + 50 < single, "{several} {single}");
            }
        }
    }
}

#[test]
fn a_missing_image_is_missing() {
    for grants in [opaque, web_token] {
        let script = registry(grants, insufficient());
        let (client, _) = over(&script, None);
        let names: Vec<String> = (0..100)
            .map(|number| match number % 10 {
                3 => format!("team/missing{number}"),
                _ => named(number),
            })
            .collect();
        let results = read_all(&client, &names);
        for (name, result) in names.iter().zip(results) {
            assert_eq!(result == "passed", !name.contains("missing"), "{result}");
            assert!(result == "passed" || result.contains("404"), "{result}");
        }
        assert!(script.lines().len() <= 1 + 200 + 10);
    }
}

#[test]
fn a_token_that_is_too_long_for_the_registry_is_not_sent_again() {
    for status in [400, 413, 431] {
        let script = Scripted::answering(move |request| {
            let path = request.url.path();
            match path {
                "/token" => {
                    let token = "x".repeat(900 * scopes(request).len());
                    reply(200, &format!(r#"{{"token":"{token}"}}"#))
                }
                "/v2/" => challenged(CHALLENGE),
                _ if authorization(request).len() > 3000 => reply(status, "header too large"),
                _ => reply(200, MANIFEST),
            }
        });
        let (client, _) = over(&script, None);
        let results = read_all(&client, &names(50));
        assert!(results.iter().all(|result| result == "passed"));
        assert!(surplus(&script, 50) <= 4);
    }
    // If the registry accepts long headers, tokens still do not exceed this size.
    let script = Scripted::answering(|request| match request.url.path() {
        "/token" => {
            let token = "x".repeat(500 + 300 * scopes(request).len());
            reply(200, &format!(r#"{{"token":"{token}"}}"#))
        }
        "/v2/" => challenged(CHALLENGE),
        _ if authorization(request).len() > 6000 => reply(431, ""),
        _ => reply(200, MANIFEST),
    });
    let (client, _) = over(&script, None);
    let results = read_all(&client, &names(100));
    assert!(results.iter().all(|result| result == "passed"));
    assert_eq!(surplus(&script, 100), 0);
    assert!(batches(&script).len() <= 14, "{}", batches(&script).len());
}

#[test]
fn a_password_is_tried_with_one_scope_first_and_only_for_its_namespace() {
    let environment = |name: &str| match name {
        "DOCKER_AUTH_CONFIG" => Some(
            // Only me:one may read `team`, and only me:two `other`.
            r#"{"auths":{"reg.io/team":{"auth":"bWU6b25l"},"reg.io/other":{"auth":"bWU6dHdv"}}}"#
                .to_owned(),
        ),
        _ => None,
    };
    let credentials = Credentials::new(
        &environment,
        [(Side::Source, None), (Side::Destination, None)],
        &[],
        Duration::ZERO,
    );
    let script = registry(opaque, insufficient());
    let retry = RetrySettings {
        retries: 0,
        patience: Duration::ZERO,
        timeout: Duration::from_secs(30),
        insecure: Arc::default(),
    };
    let clock = Arc::new(FakeClock::default());
    let client = Client::over(Box::new(script.clone()), clock, retry, credentials);
    let names: Vec<String> = (0..90)
        .map(|number| format!("{}/x{number}", ["team", "other", "public"][number % 3]))
        .collect();
    assert!(
        read_all(&client, &names)
            .iter()
            .all(|result| result == "passed")
    );
    let mut seen = HashSet::new();
    for request in script.requests() {
        if request.url.path() != "/token" {
            continue;
        }
        let scopes = scopes(&request);
        let namespace = scopes[0].split('/').next().expect("a namespace").to_owned();
        assert!(
            scopes.iter().all(|scope| scope.starts_with(&namespace)),
            "{scopes:?}"
        );
        let expected = match namespace.as_str() {
            "team" => "Basic bWU6b25l",
            "other" => "Basic bWU6dHdv",
            _ => "",
        };
        assert_eq!(authorization(&request), expected);
        if seen.insert(namespace.clone()) && namespace != "public" {
            assert_eq!(scopes.len(), 1, "a password is tried alone");
        }
    }
    assert!(batches(&script).len() <= 15, "{}", batches(&script).len());
}

#[test]
fn batches_do_not_send_a_wrong_password_more_often() {
    let script = Scripted::answering(|request| match request.url.path() {
        "/token" => reply(401, ""),
        _ => challenged(CHALLENGE),
    });
    let (client, _) = over(&script, Some(("me", "wrong")));
    read_all(&client, &names(50));
    let requests = script.requests();
    let with_password = |request: &&Request| authorization(request).starts_with("Basic");
    assert_eq!(requests.iter().filter(with_password).count(), 2);
}

#[test]
fn an_identity_token_is_exchanged_for_several_scopes_in_one_form() {
    let environment = |name: &str| match name {
        "DOCKER_AUTH_CONFIG" => {
            Some(r#"{"auths":{"reg.io":{"identitytoken":"refresh"}}}"#.to_owned())
        }
        _ => None,
    };
    let credentials = Credentials::new(
        &environment,
        [(Side::Source, None), (Side::Destination, None)],
        &[],
        Duration::ZERO,
    );
    let script = registry(opaque, insufficient());
    let retry = RetrySettings {
        retries: 0,
        patience: Duration::ZERO,
        timeout: Duration::from_secs(30),
        insecure: Arc::default(),
    };
    let clock = Arc::new(FakeClock::default());
    let client = Client::over(Box::new(script.clone()), clock, retry, credentials);
    assert!(
        read_all(&client, &names(100))
            .iter()
            .all(|result| result == "passed")
    );
    let posts = script.lines();
    assert!(
        posts
            .iter()
            .any(|line| line == "POST https://auth.io/token")
    );
    assert!(batches(&script).len() <= 8);
}

#[test]
fn the_sides_of_one_registry_have_tokens_of_their_own() {
    let script = registry(opaque, insufficient());
    let (client, _) = over(&script, None);
    let sides = [(Side::Source, "from"), (Side::Destination, "to")];
    for number in 0..40 {
        for (side, project) in sides {
            client.announce(side, &repository(&format!("{project}/x{number}")));
        }
    }
    let tag = Reference::Tag("1".to_owned());
    for number in 0..40 {
        for (side, project) in sides {
            let repository = repository(&format!("{project}/x{number}"));
            assert!(client.manifest(side, &repository, &tag, &no_log()).is_ok());
        }
    }
    for batch in batches(&script) {
        let project = batch[0].split('/').next().expect("a project").to_owned();
        assert!(
            batch.iter().all(|name| name.starts_with(&project)),
            "{batch:?}"
        );
    }
}

#[test]
fn threads_wait_for_the_thread_that_fetches() {
    let script = registry(
        |names| {
            std::thread::sleep(Duration::from_millis(20));
            opaque(names)
        },
        insufficient(),
    );
    let (client, _) = over(&script, None);
    let names = names(200);
    for name in &names {
        client.announce(Side::Destination, &repository(name));
    }
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(name) =
                    names.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
                {
                    assert_eq!(read_one(&client, name), "passed");
                }
            });
        }
    });
    let batches = batches(&script);
    let mut all = batches.concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 200);
    assert_eq!(batches.concat().len(), 200, "none twice");
    assert!(batches.len() <= 60, "{}", batches.len());
}

#[test]
fn tokens_of_a_batch_expire_as_others_do() {
    let script = registry(opaque, insufficient());
    let (client, clock) = over(&script, None);
    let names = names(4);
    read_all(&client, &names);
    assert_eq!(batches(&script).len(), 1);
    clock.advance(Duration::from_secs(289));
    read_all(&client, &names);
    assert_eq!(batches(&script).len(), 1);
    clock.advance(Duration::from_secs(1));
    assert!(
        read_all(&client, &names)
            .iter()
            .all(|result| result == "passed")
    );
    assert_eq!(batches(&script).len(), 2);
}
