//! The hosted registries, scripted with their own responses: authentication, tokens, and errors for missing
//! images, expired tokens and limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::play::{
    authorized, basic, bearer, content, docker_config, is_token_request, json, mirror,
};
use crate::support::{Content, Internet, LIST, Reply, V2, answer, entry};

#[test]
fn docker_hub_gets_head_and_the_destination_is_read() {
    let hub = content("library/x");
    let internet = mirror(Internet::new(), "library/x")
        .host("auth.docker.io", |_| json(r#"{"token":"hub-token","access_token":"hub-token","expires_in":300,"issued_at":"2026-01-01T00:00:00.123456789Z"}"#))
        .host("registry-1.docker.io", move |request| {
            let challenge = r#"realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull""#;
            if authorized(request) != "Bearer hub-token" { bearer(401, challenge) } else { answer(&hub, request) }
        });
    let run = internet.run("x mirror.test/x 1\n");
    run.code(0)
        .has("PASS [docker.io/x:1] == [mirror.test/library/x:1]")
        .has_not("hub-token");
    let asked = internet.requests("registry-1.docker.io");
    assert!(
        asked
            .iter()
            .all(|request| request.method == "HEAD" || request.path == "/v2/"),
        "no pull"
    );
    assert_eq!(asked.len(), 2);
    let token = &internet.requests("auth.docker.io")[0].path;
    assert_eq!(
        token,
        "/token?service=registry.docker.io&scope=repository%3Alibrary%2Fx%3Apull"
    );
}

#[test]
fn docker_hub_is_pulled_from_when_the_destination_differs() {
    let hub = content("library/x");
    let mut other = Content::default();
    other.multi("library/x", "1", &["linux/amd64"], "b");
    let internet = Internet::new()
        .host("mirror.test", move |request| answer(&other, request))
        .host("registry-1.docker.io", move |request| answer(&hub, request));
    internet.run("x mirror.test/x 1\n").code(1).has("!= dest");
    let pulls = internet
        .requests("registry-1.docker.io")
        .iter()
        .filter(|request| request.method == "GET" && request.path.contains("/manifests/"))
        .count();
    // The list, and the image that differs: why it does is worth a pull.
    assert_eq!(pulls, 2);
}

#[test]
fn docker_hub_s_single_image_is_read_at_the_destination() {
    let mut hub = Content::default();
    let image = hub.image("library/x", V2, "linux/amd64", "a");
    let mut copy = hub.clone();
    hub.tag("library/x", "1", &image);
    copy.index(
        "library/x",
        Some("1"),
        LIST,
        &[entry(&image, "linux/amd64")],
    );
    let internet = Internet::new()
        .host("mirror.test", move |request| answer(&copy, request))
        .host("registry-1.docker.io", move |request| answer(&hub, request));
    internet.run("x mirror.test/x 1\n").code(0).has("PASS");
    assert!(
        internet
            .requests("registry-1.docker.io")
            .iter()
            .all(|request| request.method == "HEAD" || request.path == "/v2/")
    );
}

#[test]
fn a_copy_of_docker_hub_s_image_that_is_not_whole_is_not_the_source() {
    let mut hub = Content::default();
    let image = hub.image("library/x", V2, "linux/amd64", "a");
    hub.tag("library/x", "1", &image);
    let mut copy = hub.clone();
    copy.blobs.clear();
    let internet = Internet::new()
        .host("mirror.test", move |request| answer(&copy, request))
        .host("registry-1.docker.io", move |request| answer(&hub, request));
    internet
        .run("x mirror.test/x 1\n")
        .code(1)
        .has("destination manifest MIME type unknow");
    let single = internet
        .validate()
        .arg("--allow-single")
        .stdin("x mirror.test/x 1\n")
        .run();
    single
        .code(1)
        .has("failed to inspect dest image: [docker://mirror.test/library/x@sha256:");
}

#[test]
fn docker_hub_s_pull_limit_is_reported_once() {
    let mut hub = Content::default();
    hub.multi("library/x", "1", &["linux/amd64"], "newer");
    let internet = mirror(Internet::new(), "library/y").host("registry-1.docker.io", move |request| {
        if request.method == "GET" && request.path.contains("/manifests/") {
            return Reply::error(429, "TOOMANYREQUESTS", "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit")
                .header("ratelimit-remaining", "0;w=21600");
        }
        answer(&hub, request)
    });
    let run = internet.run(&"x mirror.test/y 1\n".repeat(20));
    run.code(3)
        .has("pull rate limit")
        .has("ratelimit-remaining: 0;w=21600")
        .has("log in to docker.io")
        .has("20 not validated");
    let pulls = internet
        .requests("registry-1.docker.io")
        .iter()
        .filter(|request| request.method == "GET" && request.path.contains("/manifests/"))
        .count();
    assert_eq!(pulls, 1, "the limit does not go away by asking");
}

#[test]
fn docker_hub_private_or_missing() {
    let internet = mirror(Internet::new(), "a/x")
        .host("auth.docker.io", |_| json(r#"{"token":"empty"}"#))
        .host("registry-1.docker.io", |request| {
            if request.path == "/v2/" {
                return bearer(401, r#"realm="https://auth.docker.io/token",service="registry.docker.io""#);
            }
            bearer(401, r#"realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/x:pull",error="insufficient_scope""#)
        });
    let run = internet.run("a/x mirror.test/a/x 1\n");
    run.code(3)
        .has("NOT VALIDATED")
        .has("401 Unauthorized")
        .has("private or does not exist")
        .has("log in to docker.io");
    assert_eq!(
        internet.requests("auth.docker.io").len(),
        1,
        "the token was right"
    );
}

#[test]
fn ghcr_refuses_at_the_token_server() {
    let ghcr = content("org/x");
    let internet = mirror(Internet::new(), "org/x").host("ghcr.io", move |request| {
        let challenge =
            r#"realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull""#;
        match request {
            _ if is_token_request(request) && request.path.contains("private") => {
                Reply::error(403, "DENIED", "requested access to the resource is denied")
            }
            _ if is_token_request(request) => json(r#"{"token":"ghcr"}"#),
            _ if authorized(request) == "Bearer ghcr" => answer(&ghcr, request),
            _ => bearer(401, challenge),
        }
    });
    internet
        .run("ghcr.io/org/x mirror.test/org/x 1\n")
        .code(0)
        .has("PASS");
    let run = internet
        .run("ghcr.io/org/private mirror.test/org/x 1\nghcr.io/org/private mirror.test/org/x 2\n");
    run.code(3).has("GET https://ghcr.io/token?…: 403 Forbidden (DENIED: requested access to the resource is denied)").has("2 not validated");
    let refused = internet
        .requests("ghcr.io")
        .iter()
        .filter(|request| request.path.contains("private") && is_token_request(request))
        .count();
    assert_eq!(refused, 1, "a refusal is not asked for again");
}

#[test]
fn quay_sends_only_token_and_closes_connections() {
    let quay = content("org/x");
    let internet = mirror(Internet::new(), "org/x").host("quay.io", move |request| match request {
        _ if is_token_request(request) => json(r#"{"token":"quay"}"#).header("connection", "close"),
        _ if authorized(request) == "Bearer quay" && request.path != "/v2/" => {
            answer(&quay, request)
        }
        _ => bearer(401, r#"realm="https://quay.io/v2/auth",service="quay.io""#)
            .header("connection", "close"),
    });
    internet
        .run("quay.io/org/x mirror.test/org/x 1\n")
        .code(0)
        .has("PASS");
}

#[test]
fn registry_k8s_io_redirects_everything_to_a_host_that_wants_a_token() {
    let store = content("k8s-artifacts-prod/images/x");
    let internet = mirror(Internet::new(), "library/x")
        .host("registry.k8s.io", |request| match request.path.strip_prefix("/v2/") {
            Some("") => Reply::new(200),
            Some(rest) => Reply::new(307).header("location", format!("https://europe-docker.pkg.dev/v2/k8s-artifacts-prod/images/{rest}")),
            None => Reply::new(404),
        })
        .host("europe-docker.pkg.dev", move |request| match request {
            _ if is_token_request(request) => json(r#"{"token":"pkg"}"#),
            _ if authorized(request) == "Bearer pkg" => answer(&store, request),
            _ => bearer(401, r#"realm="https://europe-docker.pkg.dev/v2/token",service="europe-docker.pkg.dev",scope="repository:k8s-artifacts-prod/images/x:pull""#),
        });
    let run = internet.run("registry.k8s.io/x mirror.test/x 1\n");
    run.code(0).has("PASS");
    run.has("europe-docker.pkg.dev/v2/k8s-artifacts-prod/images/x/manifests/1: 200 OK");
    assert!(
        internet
            .requests("registry.k8s.io")
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
    let token = internet
        .requests("europe-docker.pkg.dev")
        .into_iter()
        .find(is_token_request)
        .unwrap();
    assert!(
        token
            .path
            .contains("scope=repository%3Ak8s-artifacts-prod%2Fimages%2Fx%3Apull"),
        "{}",
        token.path
    );
}

#[test]
fn google_refuses_at_the_token_server() {
    let internet = mirror(Internet::new(), "p/x").host("europe-docker.pkg.dev", |request| {
        if is_token_request(request) {
            return Reply::error(403, "DENIED", "Unauthenticated request. Unauthenticated requests do not have permission \"artifactregistry.repositories.downloadArtifacts\" on resource (or it may not exist)");
        }
        bearer(401, r#"realm="https://europe-docker.pkg.dev/v2/token",service="europe-docker.pkg.dev""#)
    });
    internet
        .run("europe-docker.pkg.dev/p/x mirror.test/p/x 1\n")
        .code(3)
        .has("403 Forbidden (DENIED: Unauthenticated request.");
}

#[test]
fn ecr_private_has_basic_and_no_digest_on_get() {
    const HOST: &str = "123.dkr.ecr.eu-west-1.amazonaws.com";
    let inner = basic(
        content("x/y"),
        "AWS:password",
        "Basic realm=\"https://123.dkr.ecr.eu-west-1.amazonaws.com/\",service=\"ecr.amazonaws.com\"",
    );
    let internet = mirror(Internet::new(), "x/y").host(HOST, move |request| {
        let mut reply = inner(request);
        if request.method == "GET" {
            reply
                .headers
                .retain(|(name, _)| name != "docker-content-digest");
        }
        reply
    });
    docker_config(&internet, HOST, "AWS:password");
    internet
        .run(&format!("{HOST}/x/y mirror.test/x/y 1\n"))
        .code(0)
        .has("PASS")
        .has_not("password");
    docker_config(&internet, HOST, "AWS:old");
    let run = internet.run(&format!("{HOST}/x/y mirror.test/x/y 1\n"));
    run.code(3)
        .has("the credentials from ")
        .has("rejected the credentials from ")
        .has(".docker/config.json, or ");
}

#[test]
fn ecr_private_returns_403_for_an_expired_token() {
    const HOST: &str = "123.dkr.ecr.eu-west-1.amazonaws.com";
    let internet = mirror(Internet::new(), "x/y").host(HOST, |request| {
        if authorized(request).is_empty() {
            return Reply::error(401, "UNAUTHORIZED", "x")
                .header("www-authenticate", "Basic realm=\"x\"");
        }
        Reply::error(
            403,
            "DENIED",
            "Your authorization token has expired. Reauthenticate and try again.",
        )
    });
    docker_config(&internet, HOST, "AWS:old");
    let run = internet.run(&format!("{HOST}/x/y mirror.test/x/y 1\n"));
    run.code(3)
        .has("Your authorization token has expired")
        .has("rejected the credentials from ")
        .has(".docker/config.json, or ");
}

#[test]
fn ecr_public_has_a_scope_of_its_own_and_400_for_an_expired_token() {
    let ecr = content("a/x");
    let given = Arc::new(AtomicUsize::new(0));
    let internet = mirror(Internet::new(), "a/x").host("public.ecr.aws", move |request| {
        if is_token_request(request) {
            return json(&format!(
                r#"{{"token":"ecr{}"}}"#,
                given.fetch_add(1, Ordering::SeqCst)
            ));
        }
        match authorized(request) {
            "Bearer ecr1" => answer(&ecr, request),
            "" => bearer(
                401,
                r#"realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws""#,
            ),
            _ => Reply::error(400, "DENIED", "Your Authorization Token is invalid."),
        }
    });
    internet
        .run("public.ecr.aws/a/x mirror.test/a/x 1\n")
        .code(0)
        .has("PASS");
    let token = internet
        .requests("public.ecr.aws")
        .into_iter()
        .find(is_token_request)
        .unwrap();
    assert_eq!(
        token.path,
        "/token/?service=public.ecr.aws&scope=repository%3Aa%2Fx%3Apull&scope=aws"
    );
}

#[test]
fn azure_has_access_token_only_and_takes_identity_tokens() {
    let acr = content("a/x");
    let internet = mirror(Internet::new(), "a/x").host("me.azurecr.io", move |request| {
        if is_token_request(request) {
            let is_exchange = request.method == "POST"
                && request
                    .body
                    .contains("grant_type=refresh_token&refresh_token=identity-secret");
            return if is_exchange {
                json(r#"{"access_token":"acr"}"#)
            } else {
                Reply::error(401, "UNAUTHORIZED", "log in")
            };
        }
        if authorized(request) == "Bearer acr" {
            return answer(&acr, request);
        }
        bearer(
            401,
            r#"realm="https://me.azurecr.io/oauth2/token",service="me.azurecr.io""#,
        )
    });
    internet.dir().write(
        ".docker/config.json",
        r#"{"auths":{"me.azurecr.io":{"auth":"MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==","identitytoken":"identity-secret"}}}"#,
    );
    internet
        .run("me.azurecr.io/a/x mirror.test/a/x 1\n")
        .code(0)
        .has("PASS")
        .has_not("identity-secret");
    let exchange = internet
        .requests("me.azurecr.io")
        .into_iter()
        .find(is_token_request)
        .unwrap();
    assert!(
        exchange
            .body
            .contains("service=me.azurecr.io&scope=repository%3Aa%2Fx%3Apull"),
        "{}",
        exchange.body
    );
    assert_eq!(exchange.header("authorization"), None);
}

#[test]
fn aliyun_has_colons_in_its_service() {
    let aliyun = content("a/x");
    let internet = mirror(Internet::new(), "a/x")
        .host("dockerauth.cn-hangzhou.aliyuncs.com", |_| json(r#"{"access_token":"ali","expires_in":"600","token":"ali"}"#))
        .host("registry.cn-hangzhou.aliyuncs.com", move |request| {
            if authorized(request) == "Bearer ali" { return answer(&aliyun, request) }
            bearer(401, r#"realm="https://dockerauth.cn-hangzhou.aliyuncs.com/auth",service="registry.aliyuncs.com:cn-hangzhou:26842""#)
        });
    internet
        .run("registry.cn-hangzhou.aliyuncs.com/a/x mirror.test/a/x 1\n")
        .code(0)
        .has("PASS");
    let path = &internet.requests("dockerauth.cn-hangzhou.aliyuncs.com")[0].path;
    assert!(
        path.starts_with("/auth?service=registry.aliyuncs.com%3Acn-hangzhou%3A26842&scope="),
        "{path}"
    );
}

#[test]
fn tencent_with_stored_credentials_that_are_refused() {
    let internet = mirror(Internet::new(), "a/x").host("ccr.ccs.tencentyun.com", |request| {
        if request.path.starts_with("/service/token") {
            return Reply::error(401, "UNAUTHORIZED", "wrong password");
        }
        bearer(
            401,
            r#"realm="https://ccr.ccs.tencentyun.com/service/token",service="harbor-registry""#,
        )
    });
    docker_config(&internet, "ccr.ccs.tencentyun.com", "user:hunter2");
    let run = internet.run("ccr.ccs.tencentyun.com/a/x mirror.test/a/x 1\n");
    run.code(3).has(".docker/config.json").has_not("hunter2");
}

#[test]
fn registry_access_redhat_com_sends_gzip_and_text_plain() {
    // A gzip stream made by hand: stored, not compressed, so that no library is needed.
    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        let length = u16::try_from(bytes.len()).unwrap();
        out.push(1);
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(bytes);
        let mut crc = !0_u32;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 {
                    (crc >> 1) ^ 0xedb8_8320
                } else {
                    crc >> 1
                };
            }
        }
        out.extend((!crc).to_le_bytes());
        out.extend(u32::from(length).to_le_bytes());
        out
    }
    let mut redhat = Content::default();
    let image = redhat.image("ubi/x", V2, "linux/amd64", "a");
    let mut copy = redhat.clone();
    redhat.tag("ubi/x", "1", &image);
    copy.index("ubi/x", Some("1"), LIST, &[entry(&image, "linux/amd64")]);
    let internet = Internet::new()
        .host("mirror.test", move |request| answer(&copy, request))
        .host("registry.access.redhat.com", move |request| {
            assert_eq!(request.header("accept-encoding"), Some("identity"));
            let reply = answer(&redhat, request);
            let body = gzip(&reply.body);
            Reply::new(reply.status)
                .header("content-type", "text/plain")
                .header("content-encoding", "gzip")
                .body(body)
        });
    internet
        .run("registry.access.redhat.com/ubi/x mirror.test/ubi/x 1\n")
        .code(0)
        .has("PASS");
}

#[test]
fn the_probe_s_scope_for_another_repository_is_not_requested() {
    let ghcr = content("org/x");
    let internet = mirror(Internet::new(), "org/x").host("ghcr.io", move |request| match request {
        _ if is_token_request(request) && request.path.contains("user%2Fimage") => {
            Reply::error(403, "DENIED", "requested access to the resource is denied")
        }
        _ if is_token_request(request) => json(r#"{"token":"ghcr"}"#),
        _ if authorized(request) == "Bearer ghcr" => answer(&ghcr, request),
        _ => bearer(
            401,
            r#"realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull""#,
        ),
    });
    internet
        .run("ghcr.io/org/x mirror.test/org/x 1\n")
        .code(0)
        .has("PASS");
}

#[test]
fn credentials_stay_with_the_host_that_they_are_for() {
    // The token server sends the identity token's request on to somebody else.
    let acr = content("a/x");
    let internet = mirror(Internet::new(), "a/x")
        .host("thief.test", |_| json(r#"{"access_token":"x"}"#))
        .host("me.azurecr.io", move |request| match request {
            _ if is_token_request(request) => {
                Reply::new(307).header("location", "https://thief.test/oauth2/token")
            }
            _ if authorized(request) == "Bearer x" => answer(&acr, request),
            _ => bearer(
                401,
                r#"realm="https://me.azurecr.io/oauth2/token",service="me.azurecr.io""#,
            ),
        });
    internet.dir().write(
        ".docker/config.json",
        r#"{"auths":{"me.azurecr.io":{"identitytoken":"identity-secret"}}}"#,
    );
    internet
        .run("me.azurecr.io/a/x mirror.test/a/x 1\n")
        .code(3)
        .has("refusing to send credentials to another host");
    assert!(internet.requests("thief.test").is_empty());
    // The probe is redirected to somebody who asks for a password.
    let internet = mirror(Internet::new(), "a/x")
        .host("thief.test", |_| {
            bearer(401, r#"realm="https://thief.test/token",service="x""#)
        })
        .host("reg.test", |request| match request.path.as_str() {
            "/v2/" => Reply::new(307).header("location", "https://thief.test/v2/"),
            _ => Reply::error(401, "UNAUTHORIZED", "log in")
                .header("www-authenticate", "Basic realm=\"x\""),
        });
    docker_config(&internet, "reg.test", "user:hunter2");
    internet
        .run("reg.test/a/x mirror.test/a/x 1\n")
        .code(3)
        .has_not("hunter2");
    assert!(
        internet
            .requests("thief.test")
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[test]
fn a_store_that_is_missing_is_not_an_image_that_is_missing() {
    let source = content("a/x");
    let internet = Internet::new()
        .host("src.test", move |request| answer(&source, request))
        .host("store.test", |_| {
            Reply::new(404).body("<Error><Code>NoSuchBucket</Code><Message>gone</Message></Error>")
        })
        .host("reg.test", |request| match request.path.as_str() {
            "/v2/" => Reply::new(200),
            path => Reply::new(307).header(
                "location",
                format!("https://store.test{path}?X-Amz-Signature=secret"),
            ),
        });
    let run = internet.run("src.test/a/x reg.test/a/x 1\n");
    run.code(3)
        .has("which returned 404 Not Found (NoSuchBucket: gone)")
        .has_not("does not exists")
        .has_not("secret");
}
