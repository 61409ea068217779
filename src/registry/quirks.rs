//! Behaviour of registries, stores and libraries that no specification describes: every string by which
//! this program recognizes one, with its source and date.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::exchange::Response;
use super::tls::Remedy;

/// The host that serves the images of `docker.io`.
/// Docker Hub; c/image `docker/docker_client.go`, `dockerRegistry` (2026-04).
pub const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// The pull limit, counted over hours. Docker Hub's request limit has another message.
/// Docker Hub, 429: "You have reached your unauthenticated pull rate limit." (docker/docs
/// `usage/pulls.md`, 2026).
const PULL_LIMIT: &str = "pull rate limit";

/// A store does not have an object, as opposed to a bucket or an account.
/// Amazon S3 and its copies, 404: `<Code>NoSuchKey</Code>` (S3 API, "Error responses");
/// Azure Blob Storage, 404: `<Code>BlobNotFound</Code>` (Azure, "Blob service error codes").
const MISSING_OBJECT: [&str; 2] = ["NoSuchKey", "BlobNotFound"];

/// The manifest exists, but in a type that the Accept header does not list.
/// distribution 2.7 to 2.8, 404: "OCI index found, but accept header does not support OCI indexes"
/// (`registry/handlers/manifests.go`, v2.8.3).
const UNSUPPORTED_ACCEPT: &str = "accept header does not support";

/// A token that has become invalid.
/// ECR, 403: "Your authorization token has expired. Reauthenticate and try again."
/// (amazon-ecr-credential-helper#7; flipt#3043, 2024); ECR Public, 400: "Your Authorization Token
/// is invalid." (helm#12491).
const TOKEN: &str = "token";
const TOKEN_FAULTS: [&str; 2] = ["expired", "invalid"];

/// Plain HTTP on a TLS port, 400.
/// Go's `net/http`: "Client sent an HTTP request to an HTTPS server." (1.12 and later);
/// nginx: "The plain HTTP request was sent to HTTPS port" (nexus-public#435).
const TLS_PORT: &str = "HTTPS";

/// How an HTML page begins: login pages, captive portals, error pages of proxies.
const HTML_TYPE: &str = "text/html";
const HTML_STARTS: [&str; 2] = ["<!doctype html", "<html"];

/// A name server that is unavailable, as opposed to an unknown name; the standard library passes on only
/// the message.
/// glibc: "Temporary failure in name resolution"; musl: "Try again" (2026).
const TEMPORARY_LOOKUP: [&str; 2] = ["Temporary failure", "Try again"];

/// The standard library's prefix of the C library's message (Rust 1.95).
const LOOKUP_PREFIX: &str = "failed to lookup address information: ";

/// A credential helper without a password for a registry; its exit status is the same for every error.
/// docker-credential-helpers, `credentials/error.go` (594c023, 2026-08).
pub const NOT_IN_KEYCHAIN: &[u8] = b"credentials not found in native keychain";

/// Metadata services of clouds outside the link-local network 169.254.0.0/16, where most are.
/// Alibaba Cloud ECS: 100.100.100.200; Azure's platform: 168.63.129.16; Amazon EC2 over IPv6:
/// `fd00:ec2::254` (each from its documentation of instance metadata).
pub const METADATA_V4: [Ipv4Addr; 2] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];
pub const METADATA_V6: [Ipv6Addr; 1] = [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)];

/// Whether the pull limit is exhausted: it is counted over hours, so retries do not help.
pub fn is_pull_limit(response: &Response, words: &str) -> bool {
    response.status.as_u16() == 429
        && response.url.host_str() == Some(DOCKER_HUB_API)
        && words.contains(PULL_LIMIT)
}

/// Whether a store reports that an object does not exist.
pub fn names_missing_object(words: &str) -> bool {
    MISSING_OBJECT.iter().any(|code| words.starts_with(code))
}

/// Whether a 404 is about the Accept header, not about the manifest.
pub fn is_about_accept(words: &str) -> bool {
    words.contains(UNSUPPORTED_ACCEPT)
}

/// Whether the message of a 400 or 403 is about an invalid token.
pub fn names_bad_token(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains(TOKEN) && TOKEN_FAULTS.iter().any(|fault| words.contains(fault))
}

/// tinyproxy rejects a wrong password with 401 (`reqs.c`), the status of servers.
const TINYPROXY: &str = "tinyproxy";

/// Whether a response that came through a proxy is the proxy's own refusal.
pub fn is_proxy_login(response: &Response) -> bool {
    let server = || response.header("server").unwrap_or_default();
    match response.status.as_u16() {
        407 => true,
        401 => server().starts_with(TINYPROXY),
        _ => false,
    }
}

/// nginx's messages about client certificates: 400 with an HTML page (`ngx_http_special_response.c`; its
/// own status to other servers is 496 or 495).
const NO_CLIENT_CERTIFICATE: &str = "No required SSL certificate was sent";
const BAD_CLIENT_CERTIFICATE: &str = "The SSL certificate error";

/// The server's complaint about the client certificate.
pub fn client_certificate(response: &Response) -> Option<(&'static str, Remedy)> {
    let body = String::from_utf8_lossy(&response.body);
    match response.status.as_u16() {
        400 | 496 if body.contains(NO_CLIENT_CERTIFICATE) => {
            Some((NO_CLIENT_CERTIFICATE, Remedy::ClientCertificate))
        }
        400 | 495 if body.contains(BAD_CLIENT_CERTIFICATE) => {
            Some((BAD_CLIENT_CERTIFICATE, Remedy::OtherClientCertificate))
        }
        _ => None,
    }
}

/// Whether this is a TLS port's response to plain HTTP.
pub fn is_tls_port(response: &Response) -> bool {
    response.status.as_u16() == 400 && String::from_utf8_lossy(&response.body).contains(TLS_PORT)
}

/// Whether a body is an HTML page. Some servers send JSON as `text/html`.
pub fn is_html(content_type: &str, body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let has_type = content_type.to_ascii_lowercase().starts_with(HTML_TYPE);
    has_type && !body.starts_with(b"{")
        || HTML_STARTS.iter().any(|html| {
            start
                .get(..html.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(html.as_bytes()))
        })
}

/// Whether a body is an XML error of a store.
pub fn is_xml(response: &Response) -> bool {
    !response.is_html() && response.body.trim_ascii_start().starts_with(b"<")
}

/// Whether a failed lookup may succeed later, and its message without the library's prefix.
pub fn lookup_failure(text: &str) -> (bool, &str) {
    let is_temporary = TEMPORARY_LOOKUP.iter().any(|words| text.contains(words));
    (is_temporary, text.trim_start_matches(LOOKUP_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_recognized_by_type_or_beginning() {
        for (content_type, body, expected) in [
            ("text/html; charset=utf-8", "", true),
            ("Text/HTML", "sign in", true),
            ("text/html", r#"{"errors":[]}"#, false),
            ("application/json", "\n <!DOCTYPE HTML><p>", true),
            ("", "<html lang=en>", true),
            ("", "<Error><Code>NoSuchKey</Code></Error>", false),
            ("", "<", false),
            ("", "", false),
        ] {
            let found = is_html(content_type, body.as_bytes());
            assert_eq!(found, expected, "{content_type} {body}");
        }
    }

    #[test]
    fn lookups_that_may_succeed_later_are_recognized_by_their_message() {
        for (text, is_temporary) in [
            ("Name or service not known", false),
            ("Temporary failure in name resolution", true),
            ("Try again", true),
            ("Name does not resolve", false),
        ] {
            let whole = format!("{LOOKUP_PREFIX}{text}");
            assert_eq!(lookup_failure(&whole), (is_temporary, text));
        }
    }

    #[test]
    fn only_messages_about_tokens_are_recognized_as_such() {
        assert!(names_bad_token(
            "DENIED: Your authorization token has expired."
        ));
        assert!(names_bad_token("Your Authorization Token is invalid."));
        assert!(!names_bad_token("the certificate has expired"));
        assert!(!names_bad_token("DENIED: no token"));
    }
}
