//! A scripted registry with challenges and tokens, and a mirror to compare it with.

use super::content::Content;
use super::internet::Internet;
use super::server::{Reply, Request, answer};

/// `REPOSITORY:1`, a list of two images.
pub fn content(repository: &str) -> Content {
    let mut content = Content::default();
    content.multi(repository, "1", &["linux/amd64", "linux/arm64"], "a");
    content
}

/// A destination without authentication and with correct content.
pub fn mirror(internet: Internet, repository: &str) -> Internet {
    let content = content(repository);
    internet.host("mirror.test", move |request| answer(&content, request))
}

/// A Bearer challenge.
pub fn bearer(status: u16, parameters: &str) -> Reply {
    Reply::error(status, "UNAUTHORIZED", "authentication required")
        .header("www-authenticate", format!("Bearer {parameters}"))
}

pub fn is_token_request(request: &Request) -> bool {
    request.path.starts_with("/token")
        || request.path.starts_with("/service/token")
        || request.path.starts_with("/v2/auth")
        || request.path.starts_with("/oauth2/token")
        || request.path.starts_with("/jwt/auth")
        || request.path.starts_with("/v2/token")
}

pub fn json(text: &str) -> Reply {
    Reply::new(200)
        .header("content-type", "application/json")
        .body(text)
}

pub fn authorized(request: &Request) -> &str {
    request.header("authorization").unwrap_or_default()
}

/// A registry with Basic authentication for this user and password.
pub fn basic(
    content: Content,
    pair: &'static str,
    challenge: &'static str,
) -> impl Fn(&Request) -> Reply + Send + Sync {
    use base64::Engine as _;
    let expected = format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair));
    move |request| {
        if authorized(request) != expected {
            return Reply::error(401, "UNAUTHORIZED", "authentication required")
                .header("www-authenticate", challenge);
        }
        answer(&content, request)
    }
}

pub fn docker_config(internet: &Internet, host: &str, pair: &str) {
    use base64::Engine as _;
    let auth = base64::prelude::BASE64_STANDARD.encode(pair);
    internet.dir().write(
        ".docker/config.json",
        format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#),
    );
}
