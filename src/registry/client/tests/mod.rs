//! Authorization, the probe and the caches, over a scripted exchange.

mod authorization;
mod several;

use super::*;
use crate::registry::exchange::Request;
use crate::registry::failure::Failure;
use crate::registry::scripted::{FakeClock, Scripted, no_log, refused, reply, with_header};
use std::time::Duration;

type Reply = Result<Response, Failure>;

const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
const CHALLENGE: &str = r#"Bearer realm="https://auth.io/token",service="reg""#;

/// A client of `reg.io` over a script; `pair`: user and password for it.
fn over(script: &Scripted, pair: Option<(&str, &str)>) -> (Client, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let retry = RetrySettings {
        retries: 0,
        patience: Duration::from_secs(120),
        timeout: Duration::from_secs(30),
        insecure: Arc::default(),
    };
    let environment = |name: &str| match (name, pair) {
        ("DEST_USERNAME", Some((user, _))) => Some(user.to_owned()),
        ("DEST_PASSWORD", Some((_, password))) => Some(password.to_owned()),
        ("REGISTRY_AUTH_FILE", _) => Some("/dev/null".to_owned()),
        _ => None,
    };
    let registries = [(Side::Source, None), (Side::Destination, Some("reg.io"))];
    let credentials = Credentials::new(&environment, registries, &[], Duration::ZERO);
    let client = Client::over(Box::new(script.clone()), clock.clone(), retry, credentials);
    (client, clock)
}

fn manifest(client: &Client, registry: &str, tag: &str) -> Result<Digest, Error> {
    let repository = Repository {
        registry: registry.to_owned(),
        path: "team/x".to_owned(),
    };
    let reference = Reference::Tag(tag.to_owned());
    client
        .manifest(Side::Destination, &repository, &reference, &no_log())
        .map(|manifest| manifest.digest)
}

fn read(client: &Client) -> Result<Digest, Error> {
    manifest(client, "reg.io", "1")
}

fn challenged(challenge: &str) -> Reply {
    with_header(401, "www-authenticate", challenge)
}

fn not_found() -> Reply {
    reply(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#)
}

fn authorization(request: &Request) -> &str {
    let header = request.authorization.as_ref();
    header.map_or("", |header| header.expose())
}

const V2: &str = "GET https://reg.io/v2/";
const TAG: &str = "GET https://reg.io/v2/team/x/manifests/1";
const TOKEN: &str = "GET https://auth.io/token?service=reg&scope=repository%3Ateam%2Fx%3Apull";

/// Responses to the probe from hosts without a `/v2/` of their own.
fn odd_probes() -> Vec<Reply> {
    let page = Ok(Response::for_test(
        200,
        &[("content-type", "text/html")],
        "<html>starting</html>",
    ));
    vec![
        reply(404, "404 page not found"),
        reply(403, ""),
        page,
        with_header(302, "location", "ftp://reg.io/"),
    ]
}

#[test]
fn the_probe_is_a_hint() {
    for probe in odd_probes() {
        let response = probe.clone();
        let script = Scripted::answering(move |request| match request.url.path() {
            "/v2/" => response.clone(),
            "/v2/team/x/manifests/1" => reply(200, MANIFEST),
            _ => not_found(),
        });
        let (client, _) = over(&script, None);
        assert!(read(&client).is_ok(), "{probe:?}");
        assert!(
            matches!(manifest(&client, "reg.io", "2"), Err(Error::Missing(_))),
            "a registry's 404 counts: {probe:?}"
        );
        assert_eq!(script.lines().len(), 3, "one probe");
    }
}

#[test]
fn a_host_is_no_registry_if_its_manifests_are_invalid_too() {
    for (index, probe) in odd_probes().into_iter().enumerate() {
        let response = probe.clone();
        let script = Scripted::answering(move |request| match request.url.path() {
            "/v2/" => response.clone(),
            _ if index == 1 => reply(403, ""),
            _ => reply(404, "404 page not found"),
        });
        let (client, _) = over(&script, None);
        let error = read(&client).expect_err("no registry");
        assert!(
            error.to_string().starts_with("reg.io: GET /v2/: "),
            "{error}"
        );
        assert!(!matches!(error, Error::Missing(_)), "{error}");
    }
}

#[test]
fn a_404_counts_the_same_after_other_requests() {
    let script = Scripted::answering(|request| match request.url.path() {
        "/v2/team/x/manifests/1" => reply(200, MANIFEST),
        _ => reply(404, "404 page not found"),
    });
    for order in [["1", "2"], ["2", "1"]] {
        let (client, _) = over(&script, None);
        for tag in order {
            let result = manifest(&client, "reg.io", tag);
            match tag {
                "1" => assert!(result.is_ok()),
                _ => assert!(matches!(result, Err(Error::Invalid(_)))),
            }
        }
    }
}

#[test]
fn a_doubtful_probe_is_repeated_after_half_a_minute() {
    let script = Scripted::answering({
        let count = Mutex::new(0);
        move |request| match request.url.path() {
            "/v2/" => {
                let mut count = count.lock().expect("a count");
                *count += 1;
                if *count == 1 {
                    reply(404, "")
                } else {
                    reply(200, "{}")
                }
            }
            _ => reply(404, ""),
        }
    });
    let (client, clock) = over(&script, None);
    assert!(matches!(read(&client), Err(Error::Invalid(_))));
    clock.advance(Duration::from_secs(29));
    assert!(matches!(read(&client), Err(Error::Invalid(_))));
    clock.advance(Duration::from_secs(1));
    assert!(matches!(read(&client), Err(Error::Missing(_))));
    clock.advance(Duration::from_secs(3600));
    assert!(matches!(read(&client), Err(Error::Missing(_))));
    assert_eq!(script.count("https://reg.io/v2/"), 2);
}

#[test]
fn a_final_failure_of_the_probe_is_remembered_for_half_a_minute() {
    let script = Scripted::answering(|_| {
        Err(Failure::Tls(crate::registry::tls::TlsFailure::new(
            "unknown authority",
            crate::registry::tls::Remedy::TrustAuthority,
        )))
    });
    let (client, clock) = over(&script, None);
    for _ in 0..3 {
        assert!(matches!(read(&client), Err(Error::Unreachable(_))));
    }
    assert_eq!(script.lines().len(), 1);
    clock.advance(Duration::from_secs(30));
    assert!(read(&client).is_err());
    assert_eq!(script.lines().len(), 2);
}

#[test]
fn plain_http_is_used_for_loopback_only() {
    let script = Scripted::answering(|request| match request.url.scheme() {
        "https" => Err(Failure::NotTls),
        _ => reply(200, MANIFEST),
    });
    let (client, _) = over(&script, None);
    assert!(read(&client).is_err());
    assert!(manifest(&client, "localhost:5000", "1").is_ok());
    let plain = |line: &String| line.contains("http://");
    assert!(
        script
            .lines()
            .iter()
            .filter(|line| plain(line))
            .all(|line| { line.starts_with("GET http://localhost:5000/v2/") })
    );
}

#[test]
fn loopback_ports_are_tried_over_plain_http_first() {
    let swallows = || Err(Failure::Timeout("no answer".to_owned()));
    let broken = || {
        Err(Failure::Lost {
            text: "the connection was closed".to_owned(),
            stale: false,
        })
    };
    let https = |path: &'static str| with_header(308, "location", path);
    let tls_port = reply(400, "Client sent an HTTP request to an HTTPS server.");
    for (plain, secure, scheme, probes) in [
        // A server without TLS that waits for the rest of a hello.
        (reply(200, "{}"), swallows(), "http", 1),
        (challenged("Basic realm=\"x\""), swallows(), "http", 1),
        (reply(404, ""), swallows(), "http", 1),
        // TLS servers.
        (tls_port, reply(200, "{}"), "https", 2),
        (broken(), reply(200, "{}"), "https", 2),
        (
            https("https://localhost:5000/v2/"),
            reply(200, "{}"),
            "https",
            2,
        ),
        // Neither is certain: HTTPS counts if it responds.
        (reply(403, ""), reply(200, "{}"), "https", 2),
        (reply(403, ""), Err(Failure::NotTls), "http", 2),
    ] {
        let script = Scripted::answering(move |request| {
            let is_probe = request.url.path() == "/v2/";
            match (request.url.scheme(), is_probe) {
                ("http", true) => plain.clone(),
                ("https", true) => secure.clone(),
                (used, _) if used == scheme => reply(200, MANIFEST),
                _ => panic!("{}", request.url),
            }
        });
        let (client, _) = over(&script, None);
        let lines = || script.lines();
        assert!(
            manifest(&client, "localhost:5000", "1").is_ok(),
            "{:?}",
            lines()
        );
        assert_eq!(lines().len(), probes + 1, "{:?}", lines());
        let with_secrets = script.requests();
        assert!(with_secrets[0].authorization.is_none());
    }
    // Requests to other hosts, and to hosts without a port, use HTTPS first.
    for name in ["localhost", "localhost:443", "reg.io:5000"] {
        let script = Scripted::answering(|request| match request.url.scheme() {
            "https" => reply(200, MANIFEST),
            _ => panic!("{}", request.url),
        });
        let (client, _) = over(&script, None);
        assert!(manifest(&client, name, "1").is_ok());
    }
}

#[test]
fn a_panic_in_the_probe_or_token_request_leaves_the_host_usable() {
    for panics_at in ["/v2/", "/token"] {
        let script = Scripted::answering({
            let count = Mutex::new(0);
            move |request| {
                let path = request.url.path();
                if path == panics_at {
                    let count = {
                        let mut count = count.lock().expect("a count");
                        *count += 1;
                        *count
                    };
                    assert!(count > 1, "on purpose");
                }
                match path {
                    "/token" => reply(200, r#"{"token":"t"}"#),
                    "/v2/" => challenged(CHALLENGE),
                    _ => reply(200, MANIFEST),
                }
            }
        });
        let (client, _) = over(&script, None);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&client)));
        assert!(result.is_err());
        assert!(read(&client).is_ok());
    }
}

#[test]
fn a_pull_limit_is_reported_once() {
    let script = Scripted::answering(|request| match (&request.method, request.url.path()) {
        (_, "/v2/") => reply(200, "{}"),
        (&Method::HEAD, _) => reply(200, ""),
        _ => reply(
            429,
            "You have reached your unauthenticated pull rate limit.",
        ),
    });
    let (client, clock) = over(&script, None);
    let pulls = || {
        let requests = script.requests();
        let is_pull = |request: &&Request| request.url.path().contains("/manifests/");
        requests.iter().filter(is_pull).count()
    };
    for _ in 0..20 {
        let error = manifest(&client, "docker.io", "1").expect_err("no pulls left");
        assert!(matches!(error, Error::Unreachable(_)));
        assert!(error.to_string().contains("log in to docker.io"), "{error}");
    }
    assert_eq!(pulls(), 1);
    assert_eq!(clock.passed(), Duration::ZERO);
    clock.advance(Duration::from_secs(30));
    assert!(manifest(&client, "docker.io", "1").is_err());
    assert_eq!(pulls(), 2);
}

#[test]
fn a_host_that_is_down_does_not_affect_another() {
    let script = Scripted::answering(|request| match request.url.host_str() {
        Some("reg.io") => refused(),
        _ => reply(200, MANIFEST),
    });
    let (client, clock) = over(&script, None);
    for _ in 0..3 {
        assert!(matches!(read(&client), Err(Error::Unreachable(_))));
    }
    let before = clock.passed();
    assert!(manifest(&client, "other.io", "1").is_ok());
    assert_eq!(clock.passed(), before);
}

#[test]
fn a_404_without_a_registry_s_body_is_confirmed() {
    for (second, is_missing) in [(reply(200, MANIFEST), false), (reply(404, ""), true)] {
        let script = Scripted::expecting(vec![
            (V2, reply(200, "{}")),
            (TAG, reply(404, "default backend - 404")),
            (TAG, second),
        ]);
        let (client, _) = over(&script, None);
        assert_eq!(matches!(read(&client), Err(Error::Missing(_))), is_missing);
        script.finish();
    }
    let script = Scripted::expecting(vec![(V2, reply(200, "{}")), (TAG, not_found())]);
    let (client, _) = over(&script, None);
    assert!(matches!(read(&client), Err(Error::Missing(_))));
    script.finish();
}

#[test]
fn the_pages_of_a_list_have_a_total_timeout() {
    let clock = Arc::new(FakeClock::default());
    let time = clock.clone();
    let script = Scripted::answering(move |request| {
        let count = request.url.query().unwrap_or_default().len();
        time.advance(Duration::from_secs(20));
        let next = format!(
            "</v2/team/x/referrers/y?{}>; rel=next",
            "n".repeat(count + 1)
        );
        let mut response = Response::for_test(
            200,
            &[
                ("content-type", "application/vnd.oci.image.index.v1+json"),
                ("link", &next),
            ],
            r#"{"schemaVersion":2,"manifests":[]}"#,
        );
        if request.url.path() == "/v2/" {
            response = Response::for_test(200, &[], "{}");
        }
        Ok(response)
    });
    let retry = RetrySettings {
        retries: 0,
        patience: Duration::ZERO,
        timeout: Duration::from_secs(30),
        insecure: Arc::default(),
    };
    let client = Client::over(
        Box::new(script.clone()),
        clock.clone(),
        retry,
        Credentials::default(),
    );
    let repository = Repository {
        registry: "reg.io".to_owned(),
        path: "team/x".to_owned(),
    };
    let subject = Digest::of(MANIFEST.as_bytes());
    let error = client
        .listed(Side::Source, &repository, &subject, &no_log())
        .expect_err("endless");
    assert!(
        error.to_string().contains("was not complete within 300 s"),
        "{error}"
    );
    assert!(clock.passed() < Duration::from_secs(400));
}
