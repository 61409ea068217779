//! Self-hosted registries, scripted with their own responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::play::{
    authorized, basic, bearer, content, docker_config, is_token_request, json, mirror,
};
use crate::support::{INDEX, Internet, LIST, Reply, answer};

#[test]
fn harbor_answers_a_refused_token_with_basic() {
    let harbor = content("project/x");
    let given = Arc::new(AtomicUsize::new(0));
    let internet = mirror(Internet::new(), "project/x").host("harbor.test", move |request| {
        if is_token_request(request) {
            return json(&format!(
                r#"{{"token":"harbor{}","expires_in":1800}}"#,
                given.fetch_add(1, Ordering::SeqCst)
            ));
        }
        match authorized(request) {
            "Bearer harbor1" if request.path.contains("/nothing/") => {
                Reply::error(404, "NOT_FOUND", "artifact project/x:2 not found")
            }
            "Bearer harbor1" => answer(&harbor, request),
            "" => bearer(
                401,
                r#"realm="https://harbor.test/service/token",service="harbor-registry""#,
            ),
            _ => Reply::error(401, "UNAUTHORIZED", "unauthorized to access repository")
                .header("www-authenticate", "Basic realm=\"harbor\""),
        }
    });
    internet
        .run("harbor.test/project/x mirror.test/project/x 1\n")
        .code(0)
        .has("PASS");
}

#[test]
fn harbor_has_an_empty_challenge_for_a_project_that_does_not_exist() {
    let internet = mirror(Internet::new(), "a/x").host("harbor.test", |request| {
        if is_token_request(request) {
            return json(r#"{"token":"harbor"}"#);
        }
        if request.path == "/v2/" {
            return bearer(
                401,
                r#"realm="https://harbor.test/service/token",service="harbor-registry""#,
            );
        }
        Reply::error(401, "UNAUTHORIZED", "project a not found").header("www-authenticate", "")
    });
    let run = internet.run("harbor.test/a/x mirror.test/a/x 1\n");
    run.code(3)
        .has("401 Unauthorized (UNAUTHORIZED: project a not found)")
        .has("log in to harbor.test");
    let rounds = internet
        .requests("harbor.test")
        .iter()
        .filter(|request| request.path.contains("/manifests/"))
        .count();
    assert!(rounds <= 4, "{rounds}");
}

#[test]
fn harbor_s_missing_artifact_is_missing() {
    let source = content("a/x");
    let internet = Internet::new()
        .host("src.test", move |request| answer(&source, request))
        .host("harbor.test", |request| match request.path.as_str() {
            "/v2/" => Reply::new(200),
            _ => Reply::error(404, "NOT_FOUND", "artifact a/x:1 not found"),
        });
    internet
        .run("src.test/a/x harbor.test/a/x 1\n")
        .code(1)
        .has("[harbor.test/a/x:1]: destination manifest does not exists");
}

#[test]
fn nexus_spells_basic_in_capitals() {
    let inner = basic(
        content("a/x"),
        "user:pass:word",
        "BASIC realm=\"Sonatype Nexus Repository Manager\"",
    );
    let internet = mirror(Internet::new(), "a/x").host("nexus.test", inner);
    docker_config(&internet, "https://nexus.test/v2/", "user:pass:word");
    internet
        .run("nexus.test/a/x mirror.test/a/x 1\n")
        .code(0)
        .has("PASS");
}

#[test]
fn nexus_with_a_plain_http_realm_is_refused_with_a_reason() {
    let internet = mirror(Internet::new(), "a/x").host("nexus.test", |_| {
        bearer(
            401,
            r#"realm="http://nexus.test/v2/token",service="http://nexus.test/v2/token""#,
        )
    });
    let run = internet.run("nexus.test/a/x mirror.test/a/x 1\n");
    run.code(3).has("cannot use the token server http://nexus.test/v2/token: refusing to downgrade from HTTPS to HTTP").has("external URL");
}

#[test]
fn a_realm_may_not_point_to_this_machine_or_carry_a_password() {
    for (realm, reason) in [
        (
            "https://169.254.169.254/token",
            "refusing a redirect from a public host to this machine",
        ),
        (
            "https://localhost/token",
            "refusing a redirect from a public host to this machine",
        ),
        (
            "https://user:hunter2@reg.test/token",
            "refusing a URL with credentials",
        ),
        ("file:///etc/passwd", "only http and https"),
    ] {
        let challenge = format!("realm=\"{realm}\"");
        let internet =
            mirror(Internet::new(), "a/x").host("reg.test", move |_| bearer(401, &challenge));
        internet
            .run("reg.test/a/x mirror.test/a/x 1\n")
            .code(3)
            .has(reason)
            .has_not("hunter2");
    }
}

#[test]
fn artifactory_advertises_a_token_server_that_does_not_work() {
    let inner = basic(content("a/x"), "user:pw", "x");
    let internet = mirror(Internet::new(), "a/x").host("art.test", move |request| {
        if request.path.starts_with("/artifactory/") {
            return Reply::error(401, "UNAUTHORIZED", "no");
        }
        if authorized(request).is_empty() {
            return bearer(
                401,
                r#"realm="/artifactory/api/docker/r/v2/token",service="art.test""#,
            )
            .header("www-authenticate", "Basic realm=\"Artifactory Realm\"");
        }
        let mut reply = inner(request);
        for (name, value) in &mut reply.headers {
            if name == "content-type" {
                *value = "application/json;charset=ISO-8859-1".to_owned();
            }
        }
        reply
    });
    docker_config(&internet, "art.test", "user:pw");
    internet
        .run("art.test/a/x mirror.test/a/x 1\n")
        .code(0)
        .has("PASS");
}

#[test]
fn gitlab_has_its_realm_on_another_host_and_redirects_heads() {
    let gitlab = content("group/sub/project/x");
    let store = gitlab.clone();
    let internet = mirror(Internet::new(), "group/sub/project/x")
        .host("gitlab.test", |request| {
            let basic_of_other = request.header("authorization").is_some();
            assert!(!basic_of_other);
            json(r#"{"token":"gitlab"}"#)
        })
        .host("storage.test", move |request| {
            if request.method == "HEAD" {
                return Reply::new(403).header("content-type", "application/xml");
            }
            assert_eq!(request.header("authorization"), None);
            let mut reply = answer(&store, request);
            reply.headers.clear();
            reply.header("content-type", "application/octet-stream")
        })
        .host("registry.gitlab.test", move |request| {
            match authorized(request) {
                "Bearer gitlab" if request.path == "/v2/" => Reply::new(200),
                "Bearer gitlab" => Reply::new(307).header(
                    "location",
                    format!(
                        "https://storage.test{}?X-Amz-Signature=topsecret",
                        request.path
                    ),
                ),
                _ => bearer(
                    401,
                    r#"realm="https://gitlab.test/jwt/auth",service="container_registry""#,
                ),
            }
        });
    let line = "mirror.test/group/sub/project/x registry.gitlab.test/group/sub/project/x 1\n";
    internet.run(line).code(0).has("PASS").has_not("topsecret");
}

#[test]
fn a_registry_whose_probe_is_open_may_want_a_token_all_the_same() {
    let zot = content("a/x");
    let internet = mirror(Internet::new(), "a/x").host("zot.test", move |request| match request {
        _ if request.path == "/v2/" => Reply::new(200),
        _ if is_token_request(request) => json(r#"{"token":"zot"}"#),
        _ if authorized(request) == "Bearer zot" => answer(&zot, request),
        _ => bearer(
            401,
            r#"realm="https://zot.test/token",service="zot",scope="repository:a/x:pull""#,
        ),
    });
    internet
        .run(&"zot.test/a/x mirror.test/a/x 1\n".repeat(5))
        .code(0)
        .has("5 passed");
    let refused = internet
        .requests("zot.test")
        .iter()
        .filter(|request| request.path.contains("/manifests/") && authorized(request).is_empty())
        .count();
    assert_eq!(refused, 1, "what it wants is learned once");
}

#[test]
fn media_types_are_accepted_in_separate_headers_indexes_first() {
    let source = content("a/x");
    let internet =
        mirror(Internet::new(), "a/x").host("source.test", move |request| answer(&source, request));
    internet.run("source.test/a/x mirror.test/a/x 1\n").code(0);
    for host in ["source.test", "mirror.test"] {
        let request = internet
            .requests(host)
            .into_iter()
            .find(|request| request.path.ends_with("/manifests/1"))
            .unwrap();
        let accepted: Vec<&str> = request
            .headers
            .iter()
            .filter(|(name, _)| name == "accept")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(accepted.len(), 6);
        assert_eq!(accepted[..2], [INDEX, LIST]);
        assert!(
            accepted.iter().all(|types| !types.contains(',')),
            "{accepted:?}"
        );
    }
}
