//! What every parser of outside text has to do with any bytes: come to an end without a panic, and
//! keep what the rest of the program relies on.
//!
//! The program is a binary, which nothing can depend on, so its modules are included by their paths.

#![allow(dead_code, unused_imports, reason = "only parsers are called")]

#[path = "../../../src/escape.rs"]
mod escape;
#[path = "../../../src/list/mod.rs"]
mod list;
#[path = "../../../src/log.rs"]
mod log;
#[path = "../../../src/manifest/mod.rs"]
mod manifest;
#[path = "../../../src/reference.rs"]
mod reference;
#[path = "../../../src/registry/mod.rs"]
mod registry;
#[path = "../../../src/sync/mod.rs"]
mod sync;
#[path = "../../../src/task/mod.rs"]
mod task;
#[path = "../../../src/verdict.rs"]
mod verdict;

use std::hint::black_box;
use std::time::Instant;

use list::{Line, NameRules, Override, Place};
use manifest::{Digest, MediaType};
use reference::{DOCKER_HUB, Reference, Repository};
use registry::answer::words;
use registry::credentials::file::AuthFile;
use registry::exchange::Response;
use task::record::Recording;
use ureq::http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

/// A line of an image list; its first byte chooses the flags of the run.
pub fn list(bytes: &[u8]) {
    let Some((flags, line)) = bytes.split_first() else {
        return;
    };
    let replaced = |bit: u8, text: &str| (flags & bit != 0).then(|| text.parse().ok()).flatten();
    let rules = NameRules {
        source: replaced(1, "reg.io:5000/cache"),
        destination: replaced(2, "localhost"),
        default_project: "library".to_owned(),
        sources_only: flags & 4 != 0,
    };
    let line = Line {
        number: 1,
        place: Place {
            file: "list.txt".into(),
            line: 1,
        },
        bytes: line.to_vec(),
        refusal: None,
        shows_place: false,
    };
    if let Ok(image) = rules.image(&line) {
        for name in [image.source_name(), image.destination_name()] {
            fits_in_a_url(&name);
        }
    }
}

/// A registry of `-s` or `-d`, and a tag or digest.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(replaced) = text.parse::<Override>() {
        fits_in_a_url(&replaced.registry);
    }
    if let Ok(reference) = text.parse::<Reference>() {
        fits_in_a_url(reference.as_str());
    }
}

/// Nothing in a list can change what a URL asks for.
fn fits_in_a_url(name: &str) {
    assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
    assert!(!name.contains(['?', '#', '%', '\\']), "{name:?}");
    let mut parts = name.split('/');
    assert!(
        parts.all(|part| !part.is_empty() && part != "." && part != ".."),
        "{name:?}"
    );
}

/// A manifest, its blobs, and the config blob of an image.
pub fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = manifest::parse(bytes) {
        assert_eq!(manifest.raw_digest, Digest::of(bytes));
        assert!(
            manifest.media_type == MediaType::Schema1 || manifest.digest == manifest.raw_digest
        );
    }
    let _ = black_box(manifest::blobs(bytes));
    let _ = black_box(manifest::config_platform(bytes));
}

/// A list of referrers.
pub fn referrers(bytes: &[u8]) {
    let _ = black_box(manifest::referrers(bytes));
    for is_index in [false, true] {
        black_box(manifest::is_referrers_list(bytes, is_index));
    }
}

/// A recording.
pub fn recording(bytes: &[u8]) {
    let _ = black_box(Recording::parse("sources.json".to_owned(), bytes));
}

/// The lines of `WWW-Authenticate`.
pub fn challenge(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    black_box(registry::challenge::parse(&lines));
}

/// A credential file: docker's, podman's, and the old form. Its errors quote nothing of it.
pub fn auth_file(bytes: &[u8]) {
    for is_old in [false, true] {
        match AuthFile::parse("auth.json", bytes, is_old) {
            Ok(file) => {
                for registry in [DOCKER_HUB, "reg.io:5000"] {
                    let repository = Repository {
                        registry: registry.to_owned(),
                        path: "team/x".to_owned(),
                    };
                    let _ = black_box(file.find(&repository));
                    black_box(file.helper(&repository));
                }
            }
            Err(error) => assert!(error.to_string().len() < 120, "{error}"),
        }
    }
}

/// The answer of a token server.
pub fn token(bytes: &[u8]) {
    if let Ok((token, _)) = registry::token::parse(bytes, Instant::now()) {
        // A token with a line feed would be a header of its own.
        let header = token.header();
        assert!(!header.expose().bytes().any(|byte| byte.is_ascii_control()));
    }
}

/// The body of a refusal: what is printed of it hides nothing, and is short.
pub fn error_body(bytes: &[u8]) {
    let words = words(&response(HeaderMap::new(), bytes));
    assert!(!words.chars().any(escape::is_hidden), "{words:?}");
    assert!(words.len() < 16 * 1024);
}

/// The header `Link`: the next page is of the same registry.
pub fn next_page(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("link", value);
        }
    }
    if let Some(Ok(path)) = registry::referrers::next_page(&response(headers, b"")) {
        let next = Url::parse(&format!("https://reg.io/v2/{path}")).expect("a URL");
        assert_eq!(next.host_str(), Some("reg.io"));
    }
}

fn response(headers: HeaderMap, body: &[u8]) -> Response {
    Response {
        status: StatusCode::FORBIDDEN,
        headers,
        body: body.to_vec(),
        hashed: None,
        unpacked: None,
        secrets: Vec::new(),
        url: Url::parse("https://reg.io/v2/team/x/referrers/sha256:0").expect("a URL"),
    }
}
