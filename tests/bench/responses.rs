//! Responses of a registry, made before the run, for any name of a repository.

use std::collections::HashMap;

use crate::support::{Content, digest};

const TOKEN: &str = r#"{"token":"t","expires_in":300}"#;

pub struct Responses {
    /// By tag or digest.
    whole: HashMap<String, Response>,
    /// Of blobs: the responses to `Range: bytes=0-0`.
    first_bytes: HashMap<String, Response>,
}

/// Head and body as they are sent.
pub struct Response {
    bytes: Vec<u8>,
    head: usize,
}

impl Response {
    /// `head` without Content-Length and without the empty line.
    fn new(head: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
        Self {
            bytes: [head.as_bytes(), body].concat(),
            head: head.len(),
        }
    }

    /// The bytes for a GET or a HEAD.
    pub fn bytes(&self, is_head: bool) -> &[u8] {
        if is_head {
            &self.bytes[..self.head]
        } else {
            &self.bytes
        }
    }

    pub fn not_found() -> Self {
        Self::new("404 Not Found", b"")
    }

    pub fn token() -> Self {
        Self::new("200 OK", TOKEN.as_bytes())
    }

    /// Of `/v2/`: a challenge where the registry requires tokens of the token server on this port.
    pub fn probe(token_port: Option<u16>) -> Self {
        token_port.map_or_else(
            || Self::new("200 OK", b"{}"),
            |port| {
                let realm = format!("http://127.0.0.1:{port}/token");
                Self::new(
                    &format!(
                        "401 Unauthorized\r\nwww-authenticate: Bearer realm=\"{realm}\",service=\"x\""
                    ),
                    b"",
                )
            },
        )
    }
}

impl Responses {
    pub fn of(content: &Content) -> Self {
        let mut whole = HashMap::new();
        for (_, reference, stored) in &content.manifests {
            let head = format!(
                "200 OK\r\ncontent-type: {}\r\ndocker-content-digest: {}",
                stored.media_type,
                digest(&stored.bytes),
            );
            whole.insert(reference.clone(), Response::new(&head, &stored.bytes));
        }
        let mut first_bytes = HashMap::new();
        for ((_, name), bytes) in &content.blobs {
            let head = format!(
                "206 Partial Content\r\ncontent-range: bytes 0-0/{}",
                bytes.len()
            );
            first_bytes.insert(name.clone(), Response::new(&head, &bytes[..1]));
            whole.insert(name.clone(), Response::new("200 OK", bytes));
        }
        Self { whole, first_bytes }
    }

    /// The response for a tag or digest.
    pub fn find(&self, name: &str, wants_first_byte: bool) -> Option<&Response> {
        let first = self.first_bytes.get(name).filter(|_| wants_first_byte);
        first.or_else(|| self.whole.get(name))
    }
}
