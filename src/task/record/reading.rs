//! Reads a recording. A recording with any damage is refused as a whole.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::error::Category;

use super::format::{FORMAT, Source, VERSION, checksum};
use crate::escape::escape;
use crate::manifest::Digest;

#[derive(Debug, Default)]
pub struct Recording {
    /// File name, for messages.
    name: String,
    sources: HashMap<String, Source>,
    missing: HashSet<String>,
    /// Registries of the sources.
    registries: BTreeSet<String>,
}

fn registry(name: &str) -> &str {
    name.split('/').next().unwrap_or_default()
}

#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("cannot read the recording {0}: {1}")]
    Io(String, std::io::Error),
    /// The file is not a recording.
    #[error("the file {0} is not a recording: {1}; make one with --record")]
    Other(String, String),
    /// A list of digests has an image without a digest; the place and a hint.
    #[error("cannot read the list of digests: {0}")]
    Digests(String),
    /// A newer version of this program made the recording.
    #[error(
        "the recording {0} has format version {1}, but this program reads version {VERSION}; use a newer image-tools, or record again"
    )]
    Newer(String, u64),
    /// The file was cut off or changed.
    #[error("the recording {0} is damaged: {1}; record again, or copy it again")]
    Damaged(String, String),
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "format")]
    _format: String,
    #[serde(rename = "version")]
    _version: u64,
    #[serde(rename = "recorded")]
    _recorded: String,
    #[serde(rename = "tool")]
    _tool: String,
    missing: HashSet<String>,
    sources: Vec<Source>,
    /// Expected [`checksum`].
    checksum: Digest,
}

/// A JSON error without the terms of the parser.
fn in_words(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof if line <= 1 && column == 0 => "the file is empty".to_owned(),
        Category::Eof => format!("the file was cut off in line {line}"),
        Category::Syntax | Category::Io => format!("not JSON (line {line}, column {column})"),
        Category::Data => escape(&error.to_string()).into_owned(),
    }
}

impl Recording {
    /// [`RecordingError`], also where the checksum is wrong.
    pub fn load(path: &Path) -> Result<Self, RecordingError> {
        let name = escape(&path.display().to_string()).into_owned();
        let bytes = fs::read(path).map_err(|error| RecordingError::Io(name.clone(), error))?;
        Self::parse(name, &bytes)
    }

    pub fn parse(name: String, bytes: &[u8]) -> Result<Self, RecordingError> {
        let shown = |text: &str| escape(text).into_owned();
        // A file that is not JSON may be a recording that was cut off.
        let looks_right = bytes
            .windows(FORMAT.len())
            .take(200)
            .any(|part| part == FORMAT.as_bytes());
        let header: Header = match serde_json::from_slice(bytes) {
            Ok(header) => header,
            Err(error) if looks_right => {
                return Err(RecordingError::Damaged(name, in_words(&error)));
            }
            Err(error) => return Err(RecordingError::Other(name, in_words(&error))),
        };
        if header.format != FORMAT {
            let why = format!("its format is {:?}", header.format);
            return Err(RecordingError::Other(name, shown(&why)));
        }
        if header.version != VERSION {
            return Err(RecordingError::Newer(name, header.version));
        }
        let document: Document = match serde_json::from_slice(bytes) {
            Ok(document) => document,
            Err(error) => return Err(RecordingError::Damaged(name, in_words(&error))),
        };
        if checksum(&document.sources) != document.checksum {
            let why = "the checksum does not match the sources";
            return Err(RecordingError::Damaged(name, why.to_owned()));
        }
        let mut sources = HashMap::with_capacity(document.sources.len());
        for source in document.sources {
            if let Some(twice) = sources.insert(source.source.clone(), source) {
                let why = format!("{} occurs twice", twice.source);
                return Err(RecordingError::Damaged(name, shown(&why)));
            }
        }
        let registries = sources.keys().map(|name| registry(name).to_owned());
        Ok(Self {
            name,
            registries: registries.collect(),
            sources,
            missing: document.missing,
        })
    }

    /// Finds a source by its resolved name.
    /// A message with the reason and a hint.
    pub fn find(&self, source: &str) -> Result<&Source, String> {
        let name = &self.name;
        match self.sources.get(source) {
            // The entry is older than the recording.
            Some(_) if self.missing.contains(source) => Err(format!(
                "[{source}]: the recording {name} has only an older state of this image, because the source could not be read during the last --record; record it again"
            )),
            Some(found) => Ok(found),
            None if self.missing.contains(source) => Err(format!(
                "[{source}]: not in the recording {name}, because the source could not be read during --record; record it again"
            )),
            None => Err(format!(
                "[{source}]: not in the recording {name}; {}",
                self.advice(source)
            )),
        }
    }

    /// The hint for a missing source.
    fn advice(&self, source: &str) -> String {
        let registries = &self.registries;
        if registries.is_empty() || registries.contains(registry(source)) {
            return "use --record on a host that can read the source".to_owned();
        }
        let some: Vec<&str> = registries.iter().map(String::as_str).take(3).collect();
        let more = if registries.len() > 3 { ", …" } else { "" };
        format!(
            "the recording has sources of {}{more}: use the same -s as for --record, or record the image",
            some.join(", ")
        )
    }

    /// Names and digests of the sources, sorted by name: `NAME:TAG`, or only the name for a source that was
    /// read by digest.
    pub fn digests(&self) -> Vec<(&str, &Digest)> {
        let sources = self.sources.values();
        let mut digests: Vec<(&str, &Digest)> = sources
            .filter(|source| !self.missing.contains(&source.source))
            .map(|source| {
                let name = source.source.split('@').next().unwrap_or_default();
                (name, &source.digest)
            })
            .collect();
        digests.sort_unstable();
        digests
    }

    /// Names of the sources that could not be read, sorted.
    pub fn missing(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.missing.iter().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// File name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sources and missing names, for a recording that extends this one.
    pub fn into_parts(self) -> (impl Iterator<Item = Source>, HashSet<String>) {
        (self.sources.into_values(), self.missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{MediaType, Platform, Spec};
    use proptest::prelude::*;

    fn source(name: &str) -> Source {
        Source {
            source: name.to_owned(),
            media_type: MediaType::OciIndex,
            digest: Digest::of(b"x"),
            size: 7,
            images: Some(vec![Spec {
                digest: Digest::of(b"y"),
                platform: Platform {
                    architecture: "arm64".to_owned(),
                    os: "linux".to_owned(),
                    ..Platform::default()
                },
            }]),
            referrers: None,
        }
    }

    fn document(version: u64, sources: &[Source]) -> String {
        let lines: Vec<_> = sources.iter().map(Source::to_line).collect();
        let lines: Vec<_> = lines
            .iter()
            .map(|line| String::from_utf8_lossy(line))
            .collect();
        format!(
            r#"{{"format": "{FORMAT}", "version": {version}, "recorded": "", "tool": "", "missing": ["reg.io/x:2"], "sources": [{}], "checksum": "{}"}}"#,
            lines.join(",\n"),
            checksum(sources)
        )
    }

    fn parse(text: &str) -> Result<Recording, RecordingError> {
        Recording::parse("r.json".to_owned(), text.as_bytes())
    }

    #[test]
    fn a_source_is_found_and_a_missing_one_explained() {
        let recording = parse(&document(1, &[source("reg.io/x:1")])).expect("a recording");
        let found = recording.find("reg.io/x:1").expect("a source");
        assert_eq!(found.images.as_ref().map(Vec::len), Some(1));
        let unread = recording.find("reg.io/x:2").expect_err("not recorded");
        assert!(unread.contains("could not be read"), "{unread}");
        let unknown = recording.find("reg.io/y:1").expect_err("not recorded");
        assert!(
            unknown.ends_with("use --record on a host that can read the source"),
            "{unknown}"
        );
        let elsewhere = recording.find("docker.io/x:1").expect_err("not recorded");
        assert!(
            elsewhere.contains("the recording has sources of reg.io: use the same -s"),
            "{elsewhere}"
        );
    }

    #[test]
    fn untrusted_paths_are_refused_with_the_reason() {
        let good = document(1, &[source("reg.io/x:1")]);
        for (text, reason) in [
            (String::new(), "not a recording"),
            ("[]".to_owned(), "not a recording"),
            (
                r#"{"format": "x", "version": 1}"#.to_owned(),
                "its format is",
            ),
            (document(2, &[]), "format version 2"),
            (good[..good.len() - 9].to_owned(), "damaged"),
            (good.replace("sha256:", "sha256:0"), "damaged"),
            (good.replace("image.index", "image"), "damaged"),
            (good.replace("\"size\":7", "\"size\":-7"), "damaged"),
            (good.replace("\"images\"", "\"imagez\""), "damaged"),
            (
                good.replace("\"architecture\"", "\"architecturE\""),
                "damaged",
            ),
            (
                good.replace("arm64", "arm65"),
                "the checksum does not match",
            ),
            (
                good.replace("reg.io/x:1", "reg.io/x:3"),
                "the checksum does not match",
            ),
            (good.replace("\"missing\"", "\"mizzing\""), "damaged"),
            (
                document(1, &[source("reg.io/x:1"), source("reg.io/x:1")]),
                "reg.io/x:1 occurs twice",
            ),
        ] {
            let error = parse(&text).expect_err(&text).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic_or_lie(at in 0_usize..600, byte in any::<u8>()) {
            let mut bytes = document(1, &[source("reg.io/x:1")]).into_bytes();
            let at = at % bytes.len();
            let is_same = bytes[at] == byte;
            bytes[at] = byte;
            // The host and the program that made the recording are not checked.
            if let Ok(recording) = Recording::parse("r.json".to_owned(), &bytes) {
                prop_assert!(is_same || recording.sources["reg.io/x:1"] == source("reg.io/x:1"));
            }
        }
    }
}
