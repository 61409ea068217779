//! Registries that cannot be read: NOT VALIDATED with the cause, never "does not exists".

use std::time::{Duration, Instant};

use crate::support::registry::free_port;
use crate::support::{
    Content, Dir, How, INDEX, LIST, OCI, Reply, Request, Run, Server, V2, answer, digest, entry,
};

fn usual() -> Content {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64", "linux/arm64"], "a");
    content
}

/// One image, from a correct source to this destination, without patience.
fn against(destination: &str, flags: &str) -> Run {
    let source = Server::of(usual());
    let dir = Dir::new();
    let run = dir
        .validate()
        .args(&format!(
            "-s {} -d {destination} --retries 0 --timeout 2s {flags}",
            source.name()
        ))
        .stdin("team/x team/x 1\n")
        .run();
    run.has_not("does not exists").has_not("internal error");
    if run.status.code() != Some(0) {
        assert_eq!(dir.read("mirror-validate-failed.txt"), "team/x team/x 1\n");
    }
    run
}

/// A correct destination, but for what `change` answers.
fn changed(change: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let content = usual();
    Server::start(move |request| change(request).unwrap_or_else(|| answer(&content, request)))
}

/// A correct destination, but for the manifest under the tag.
fn with_manifest(reply: Reply) -> Server {
    changed(move |request| {
        request
            .path
            .ends_with("/manifests/1")
            .then(|| reply.clone())
    })
}

#[track_caller]
fn not_validated(run: &Run, cause: &str) {
    run.code(3)
        .has("[ERRO] [M_ID:1] NOT VALIDATED [")
        .has(cause)
        .has("1 image: 0 passed, 0 failed, 1 not validated");
}

#[test]
fn nobody_listens() {
    let name = format!("127.0.0.1:{}", free_port());
    not_validated(
        &against(&name, ""),
        &format!("{name}: GET /v2/: connection refused"),
    );
    not_validated(
        &against("registry.invalid", ""),
        "registry.invalid: GET /v2/: cannot resolve the host name",
    );
}

#[test]
fn every_status_but_404_is_a_cause() {
    for (status, words) in [
        (400, "400 Bad Request (SOME_CODE: some message)"),
        (401, "401 Unauthorized (SOME_CODE: some message)"),
        (403, "403 Forbidden (SOME_CODE: some message)"),
        (405, "405 Method Not Allowed"),
        (418, "418"),
        (429, "429 Too Many Requests"),
        (500, "500 Internal Server Error"),
        (502, "502 Bad Gateway"),
        (503, "503 Service Unavailable"),
        (504, "504 Gateway Timeout"),
    ] {
        let server = with_manifest(Reply::error(status, "SOME_CODE", "some message"));
        let run = against(&server.name(), "");
        not_validated(
            &run,
            &format!("{}: GET /v2/team/x/manifests/1: {words}", server.name()),
        );
    }
}

#[test]
fn a_denied_request_has_a_hint() {
    let server = with_manifest(
        Reply::error(401, "UNAUTHORIZED", "authentication required")
            .header("www-authenticate", "Basic realm=\"x\""),
    );
    let name = server.name();
    let run = against(&name, "");
    not_validated(&run, &format!("no credentials were found for {name}"));
}

#[test]
fn only_a_registry_s_404_means_that_an_image_is_missing() {
    for reply in [
        Reply::new(404),
        Reply::new(404).body("404 page not found\n"),
        Reply::error(404, "NAME_UNKNOWN", "repository name not known to registry"),
        Reply::error(404, "NOT_FOUND", "artifact team/x:1 not found"),
    ] {
        let server = with_manifest(reply);
        let source = Server::of(usual());
        let dir = Dir::new();
        let run = dir
            .validate()
            .args(&format!("-s {} -d {}", source.name(), server.name()))
            .stdin("team/x team/x 1\n")
            .run();
        run.code(1).has("destination manifest does not exists");
    }
    for reply in [
        Reply::new(404)
            .header("content-type", "text/html")
            .body("<html>nginx</html>"),
        Reply::error(
            404,
            "MANIFEST_UNKNOWN",
            "OCI index found, but accept header does not support OCI indexes",
        ),
    ] {
        not_validated(
            &against(&with_manifest(reply).name(), ""),
            "the response does not look like a registry's",
        );
    }
}

#[test]
fn the_probe_is_a_hint() {
    for reply in [
        Reply::new(404).body("404 page not found"),
        Reply::new(403),
        Reply::new(200)
            .header("content-type", "text/html")
            .body("<html>starting</html>"),
    ] {
        let server = changed(move |request| (request.path == "/v2/").then(|| reply.clone()));
        against(&server.name(), "").code(0).has("PASS");
        assert_eq!(
            server.count("GET", "/v2/") - server.count("GET", "/manifests/"),
            1
        );
    }
}

#[test]
fn a_host_without_probe_and_manifests_is_no_registry() {
    for (reply, cause) in [
        (
            Reply::new(404).body("404 page not found"),
            "GET /v2/: 404 Not Found (404 page not found); the host does not respond like a registry",
        ),
        (Reply::new(403), "GET /v2/: 403 Forbidden"),
        (
            Reply::new(200)
                .header("content-type", "text/html")
                .body("<html>"),
            "the response is an HTML page instead of a manifest",
        ),
        (Reply::new(500), "GET /v2/: 500 Internal Server Error"),
        (
            Reply::new(200).how(How::Junk(b"SSH-2.0-OpenSSH\r\n".to_vec())),
            "GET /v2/: ",
        ),
        (Reply::new(200).how(How::Close), "GET /v2/: "),
    ] {
        let server = Server::start(move |_| reply.clone());
        not_validated(&against(&server.name(), ""), cause);
    }
}

#[test]
fn invalid_manifests_are_never_compared() {
    let list = usual().find("team/x", "1").unwrap().bytes.clone();
    let manifest = |body: &[u8]| Reply::new(200).header("content-type", LIST).body(body);
    for (reply, cause) in [
        (Reply::new(200).header("content-type", "text/html").body("<html>Sign in</html>"), "the response is an HTML page instead of a manifest"),
        (manifest(b""), "not a manifest: not JSON"),
        (manifest(b"[]"), "not a manifest: not a JSON object"),
        (manifest(b"{}"), "unknown manifest type"),
        (manifest(br#"{"errors":[{"code":"DENIED"}]}"#), "unknown manifest type"),
        (manifest(br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.artifact.manifest.v1+json"}"#), "oci.artifact"),
        (manifest(&list[..list.len() / 2]), "not a manifest: not JSON"),
        (manifest(&list).how(How::Cut(100)), "the connection was closed before the response was complete"),
        (manifest(&list).how(How::UntilClose(100)), "not a manifest: not JSON"),
        (manifest(&[b' '; 4 * 1024 * 1024 + 1]), "the response is larger than 4 MiB"),
        (manifest(&list).how(How::Reset), "the connection was "),
        (manifest(&list).how(How::Stall), "timed out while waiting for the response"),
        (Reply::new(307), "307 Temporary Redirect: the response has no Location header"),
        (Reply::new(302).header("location", "ftp://x/"), "only http and https URLs are supported"),
        (Reply::new(302).header("location", "/v2/team/x/manifests/1"), "redirect loop at http"),
    ] {
        let server = with_manifest(reply);
        not_validated(&against(&server.name(), ""), cause);
    }
}

#[test]
fn chunked_answers_and_missing_headers_do_no_harm() {
    let content = usual();
    let server = Server::start(move |request| {
        let mut reply = answer(&content, request);
        reply.headers.clear();
        if request.method == "GET" {
            reply.how(How::Chunked)
        } else {
            reply
        }
    });
    against(&server.name(), "").code(0).has("PASS");
    // Without a digest HEAD proves nothing: each child was read.
    assert_eq!(server.count("GET", "/manifests/sha256:"), 2);
}

#[test]
fn a_child_with_a_wrong_digest_is_not_validated() {
    let server = changed(|request| {
        let is_child = request.path.contains("/manifests/sha256:");
        let other = br#"{"schemaVersion":2,"manifests":[]}"#;
        is_child.then(|| {
            Reply::new(200)
                .header("docker-content-digest", digest(other))
                .body(other.to_vec())
        })
    });
    not_validated(
        &against(&server.name(), ""),
        "the registry returned a different manifest (digest sha256:",
    );
}

#[test]
fn a_wrong_digest_header_is_warned_of() {
    let content = usual();
    let server = Server::start(move |request| {
        let mut reply = answer(&content, request);
        if request.path.ends_with("/manifests/1") {
            reply
                .headers
                .retain(|(name, _)| name != "docker-content-digest");
            reply = reply.header("docker-content-digest", digest("something else"));
        }
        reply
    });
    against(&server.name(), "")
        .code(0)
        .has("PASS")
        .has("[WARN] [M_ID:1]")
        .has("Docker-Content-Digest is sha256:");
}

#[test]
fn the_type_comes_from_the_body() {
    let content = usual();
    let server = Server::start(move |request| {
        let mut reply = answer(&content, request);
        reply.headers.retain(|(name, _)| name != "content-type");
        reply.header("content-type", format!("{V2}; charset=utf-8"))
    });
    let run = against(&server.name(), "");
    run.code(0).has("PASS").has(&format!(
        "[WARN] [M_ID:1] {}/team/x:1: Content-Type is {V2}, but the body is {LIST}",
        server.name()
    ));
}

#[test]
fn a_missing_child_counts_more_than_an_unreadable_one() {
    let children: Vec<String> = usual()
        .manifests
        .iter()
        .map(|(_, name, _)| name.clone())
        .filter(|name| name.starts_with("sha256:"))
        .collect();
    let (missing, broken) = (children[1].clone(), children[0].clone());
    let server = changed(move |request| match &request.path {
        path if path.ends_with(&missing) => {
            Some(Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"))
        }
        path if path.ends_with(&broken) => Some(Reply::new(500)),
        _ => None,
    });
    against(&server.name(), "").code(1).has(&format!(
        "failed to inspect dest image: [docker://{}/team/x@{}]\n",
        server.name(),
        children[1]
    ));
}

#[test]
fn too_deep_and_too_large_indexes_are_refused() {
    let mut content = Content::default();
    let image = content.image("team/x", OCI, "linux/amd64", "a");
    let mut inner = content.index("team/x", None, INDEX, &[entry(&image, "linux/amd64")]);
    for _ in 0..5 {
        inner = content.index("team/x", None, INDEX, &[crate::support::descriptor(&inner)]);
    }
    content.tag("team/x", "1", &inner);
    not_validated(
        &against(&Server::of(content).name(), ""),
        "nested more than 4 levels deep",
    );
    let mut content = Content::default();
    let image = content.image("team/x", V2, "linux/amd64", "a");
    content.index(
        "team/x",
        Some("1"),
        LIST,
        &vec![entry(&image, "linux/amd64"); 10_001],
    );
    not_validated(&against(&Server::of(content).name(), ""), "more than 10000");
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_host() {
    let content = usual();
    let storage = Server::of(content.clone());
    let to = storage.name();
    let server = Server::start(move |request| {
        if request.header("authorization") != Some("Basic dXNlcjpodW50ZXIy") {
            return Reply::error(401, "UNAUTHORIZED", "log in")
                .header("www-authenticate", "Basic realm=\"x\"");
        }
        match request.path.as_str() {
            "/v2/" => answer(&content, request),
            path => Reply::new(307).header(
                "location",
                format!("http://{to}{path}?X-Amz-Signature=topsecret"),
            ),
        }
    });
    let source = Server::of(usual());
    let dir = Dir::new();
    let run = dir
        .validate()
        .args(&format!("-debug -s {} -d {}", source.name(), server.name()))
        .env("DEST_USERNAME", "user")
        .env("DEST_PASSWORD", "hunter2")
        .stdin("team/x team/x 1\n")
        .run();
    run.code(0)
        .has("PASS")
        .has_not("hunter2")
        .has_not("topsecret")
        .has_not("dXNlcjpodW50ZXIy");
    assert!(storage.count("GET", "/manifests/1") > 0);
    assert!(
        storage
            .requests()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
    assert!(
        source
            .requests()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[test]
fn a_token_is_fetched_once_for_each_repository() {
    let mut content = Content::default();
    for tag in 0..20 {
        content.multi(
            "team/x",
            &tag.to_string(),
            &["linux/amd64", "linux/arm64"],
            "a",
        );
    }
    let all = content.clone();
    let server = Server::start(move |request| {
        if request.path.starts_with("/token") {
            return Reply::new(200).body(r#"{"token":"secret-token"}"#);
        }
        if request.header("authorization") == Some("Bearer secret-token") && request.path != "/v2/"
        {
            return answer(&content, request);
        }
        Reply::error(401, "UNAUTHORIZED", "x").header(
            "www-authenticate",
            "Bearer realm=\"/token?a=1\",service=\"reg, istry\"",
        )
    });
    let source = Server::of(all);
    let dir = Dir::new();
    let run = dir
        .validate()
        .args(&format!(
            "-debug -f - -j 8 -s {} -d {}",
            source.name(),
            server.name()
        ))
        .stdin(
            (0..20)
                .map(|tag| format!("team/x team/x {tag}\n"))
                .collect::<String>(),
        )
        .run();
    run.code(0).has("20 passed").has_not("secret-token");
    let tokens: Vec<String> = server
        .requests()
        .into_iter()
        .filter(|request| request.path.starts_with("/token"))
        .map(|request| request.path)
        .collect();
    assert_eq!(
        tokens,
        ["/token?a=1&service=reg%2C+istry&scope=repository%3Ateam%2Fx%3Apull"]
    );
    assert_eq!(
        server.count("GET", "/v2/") - server.count("GET", "/manifests/"),
        1,
        "one probe"
    );
}

#[test]
fn temporary_errors_are_retried() {
    for (reply, kept) in [
        (Reply::new(503), true),
        (Reply::new(429).header("retry-after", "0"), true),
        (Reply::new(200).body("{}").how(How::Close), false),
        (
            Reply::new(200).body(vec![b' '; 50]).how(How::Cut(10)),
            false,
        ),
    ] {
        let seen = std::sync::atomic::AtomicUsize::new(0);
        let server = changed(move |request| {
            let first = request.path.ends_with("/manifests/1")
                && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            first.then(|| reply.clone())
        });
        let source = Server::of(usual());
        let dir = Dir::new();
        let run = dir
            .validate()
            .args(&format!("-s {} -d {}", source.name(), server.name()))
            .stdin("team/x team/x 1\n")
            .run();
        run.code(0).has("PASS");
        assert_eq!(server.count("GET", "/manifests/1"), 2);
        assert!(!kept || server.connections() <= 2);
    }
}

#[test]
fn a_registry_that_is_down_costs_its_patience_once() {
    let name = format!("127.0.0.1:{}", free_port());
    let source = Server::of(usual());
    let dir = Dir::new();
    let begun = Instant::now();
    let run = dir
        .validate()
        .args(&format!(
            "-f - -j 8 --retries 2 -s {} -d {name}",
            source.name()
        ))
        .stdin(
            (0..500)
                .map(|number| format!("team/x team/x{number} 1\n"))
                .collect::<String>(),
        )
        .run();
    run.code(3)
        .has("500 images: 0 passed, 0 failed, 500 not validated");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "not 500 times the patience"
    );
}

#[test]
fn an_answer_that_never_ends_is_given_up() {
    let list = usual().find("team/x", "1").unwrap().bytes.clone();
    let reply = Reply::new(200)
        .header("content-type", LIST)
        .body(list)
        .how(How::Drip(Duration::from_millis(20)));
    let server = with_manifest(reply);
    let begun = Instant::now();
    not_validated(
        &against(&server.name(), "--timeout 500ms"),
        "timed out while reading the response",
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn every_kind_of_slowness_has_an_end() {
    let list = usual().find("team/x", "1").unwrap().bytes.clone();
    let slow = |how: How| {
        Reply::new(200)
            .header("content-type", LIST)
            .body(list.clone())
            .how(how)
    };
    // Also with retries: a manifest may cost two time-outs in all.
    for (reply, cause) in [
        (
            slow(How::Drip(Duration::from_millis(20))),
            "timed out while reading the response (2 attempts)",
        ),
        (
            slow(How::Stall),
            "timed out while waiting for the response (2 attempts)",
        ),
    ] {
        let server = with_manifest(reply);
        let begun = Instant::now();
        not_validated(
            &against(&server.name(), "--timeout 500ms --retries 4"),
            cause,
        );
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn a_proxy_that_trickles_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    // Ends with the test program.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                use std::io::Write as _;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ");
                while stream.write_all(b"x").is_ok() {
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
    });
    let source = Server::of(usual());
    let dir = Dir::new();
    let begun = Instant::now();
    let run = dir
        .validate()
        .args(&format!(
            "-s {} -d registry.test --retries 0 --timeout 1s",
            source.name()
        ))
        .env("HTTPS_PROXY", format!("http://{proxy}"))
        .stdin("team/x team/x 1\n")
        .run();
    not_validated(&run, ": the connection timed out");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn connections_are_kept_for_all_jobs() {
    let mut content = Content::default();
    let mut list = String::new();
    for number in 0..200 {
        content.multi(
            &format!("team/x{number}"),
            "1",
            &["linux/amd64", "linux/arm64"],
            &format!("{number}"),
        );
        list += &format!("team/x{number} team/x{number} 1\n");
    }
    let (source, destination) = (Server::of(content.clone()), Server::of(content));
    let dir = Dir::new();
    let run = dir
        .validate()
        .args(&format!(
            "-f - -j 8 -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .stdin(list)
        .run();
    run.code(0).has("200 images: 200 passed");
    // TLS is tried first: those connections carry no request.
    assert!(source.connections() <= 8, "{}", source.connections());
    assert!(
        destination.connections() <= 8,
        "{}",
        destination.connections()
    );
    assert_eq!(source.requests().len(), 200 + 1);
    assert_eq!(destination.requests().len(), 600 + 1);
}
