//! Docker image manifest, schema 1: the format without configs and indexes.
//!
//! The platform is in the manifest and in the newest history entry. The content of a signed manifest is
//! its payload (libtrust's "pretty signature"): the document without the signatures, whose digest is
//! that of the manifest. Data outside the payload is not signed and is ignored.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::document::Document;
use super::platform::{FIELDS, MAX_FIELD};
use super::strict::{Field, JsonPath};
use super::{ManifestError, Platform};

/// The platform: `architecture` of the manifest, `os` and `variant` of the newest history entry.
pub fn platform(document: &Document<'_>) -> Result<Platform, ManifestError> {
    let mut newest = None;
    document.history.each(|entry| {
        if newest.is_none() {
            newest = Some(history_platform(&entry)?);
        }
        Ok(())
    })?;
    let mut platform = newest.unwrap_or_default();
    let architecture = document.architecture.text_within(MAX_FIELD)?;
    if !architecture.is_empty() {
        platform.architecture = architecture;
    }
    Ok(platform)
}

fn history_platform(entry: &Field<'_, '_>) -> Result<Platform, ManifestError> {
    let Some([compatibility]) = entry.object(["v1Compatibility"])? else {
        return Ok(Platform::default());
    };
    let Some(text) = compatibility.text()? else {
        return Ok(Platform::default());
    };
    let root = JsonPath::Root("v1Compatibility");
    let fields = root.document(&text, FIELDS).map_err(damaged_part)?;
    Platform::of(&fields)
}

/// An embedded text that is not JSON is damage of the manifest.
fn damaged_part(error: ManifestError) -> ManifestError {
    match error {
        ManifestError::NotJson(what) => ManifestError::Damaged(what),
        other => other,
    }
}

/// The payload of a signed manifest: the whole document without its signatures.
///
/// # Errors
/// [`ManifestError::Damaged`] if the signatures cover anything else.
pub fn payload(
    bytes: &[u8],
    text: &str,
    document: &Document<'_>,
) -> Result<Vec<u8>, ManifestError> {
    let damaged = |what: &str| ManifestError::Damaged(format!("schema 1 signature: {what}"));
    let mut cut: Option<(usize, Vec<u8>)> = None;
    document.signatures.each(|signature| {
        let found = protected(&signature)?;
        match &cut {
            Some(known) if *known != found => {
                Err(damaged("the signatures have different payloads"))
            }
            _ => {
                cut = Some(found);
                Ok(())
            }
        }
    })?;
    // For Go's readers the payload of no signatures is empty.
    let (length, tail) = cut.ok_or_else(|| damaged("there is no signature"))?;
    let (Some(head), Some(rest)) = (bytes.get(..length), text.get(length..)) else {
        return Err(damaged("formatLength is outside the manifest"));
    };
    let is_whole = tail.trim_ascii() == b"}"
        && is_only_signatures(rest, document.signatures.value().unwrap_or_default());
    if !is_whole {
        return Err(damaged("the payload is not the whole manifest"));
    }
    Ok([head, &tail].concat())
}

/// The length of the payload's head in the document, and the tail that replaces the signatures.
fn protected(signature: &Field<'_, '_>) -> Result<(usize, Vec<u8>), ManifestError> {
    let Some([protected, ..]) = signature.object(["protected", "header", "signature"])? else {
        return Err(signature.missing());
    };
    let decode = |field: &Field<'_, '_>| {
        let text = field.text()?.ok_or_else(|| field.missing())?;
        BASE64_URL_SAFE_NO_PAD
            .decode(text.as_bytes())
            .map_err(|_| field.at().damaged("is not valid base64"))
    };
    let header = decode(&protected)?;
    let header = String::from_utf8(header)
        .map_err(|_| protected.at().damaged("is not base64-encoded JSON"))?;
    let root = JsonPath::Root("protected");
    let [length, tail] = root
        .document(&header, ["formatLength", "formatTail"])
        .map_err(damaged_part)?;
    let number = length.number()?.ok_or_else(|| length.missing())?;
    let number = usize::try_from(number).map_err(|_| length.at().damaged("is too large"))?;
    Ok((number, decode(&tail)?))
}

/// Whether the rest of a document is only the field `signatures` with this value.
fn is_only_signatures(rest: &str, value: &str) -> bool {
    let parts = [",", "\"signatures\"", ":", value, "}"];
    let end = parts.iter().try_fold(rest, |rest, part| {
        rest.trim_ascii_start().strip_prefix(part)
    });
    end.is_some_and(|end| end.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Digest, Manifest, MediaType, blobs, parse};
    use super::*;
    use serde_json::json;

    /// Signs as libtrust writes it: the signatures are put before the closing brace.
    fn signed(payload: &str) -> String {
        let head = payload.trim_end_matches(['}', '\n']);
        let tail = &payload[head.len()..];
        format!(
            "{head},\n   \"signatures\": [{}]\n}}",
            signature(head.len(), tail)
        )
    }

    fn signature(length: usize, tail: &str) -> String {
        let protected =
            json!({"formatLength": length, "formatTail": BASE64_URL_SAFE_NO_PAD.encode(tail)});
        let protected = BASE64_URL_SAFE_NO_PAD.encode(protected.to_string());
        format!("{{\"protected\": \"{protected}\"}}")
    }

    fn refused(text: &str) -> String {
        let as_blobs = blobs(text.as_bytes()).expect_err(text);
        let error = parse(text.as_bytes()).expect_err(text);
        assert_eq!(as_blobs, error);
        error.to_string()
    }

    const PAYLOAD: &str = "{\n   \"schemaVersion\": 1,\n   \"architecture\": \"arm\",\n   \"history\": [{\"v1Compatibility\": \"{\\\"os\\\":\\\"linux\\\",\\\"variant\\\":\\\"v7\\\"}\"}]\n}";

    #[test]
    fn the_digest_is_that_of_the_payload() {
        let manifest = parse(signed(PAYLOAD).as_bytes()).expect("a manifest");
        assert_eq!(manifest.media_type, MediaType::Schema1Signed);
        assert_eq!(manifest.digest, Digest::of(PAYLOAD.as_bytes()));
        assert_eq!(manifest.raw_digest, Digest::of(signed(PAYLOAD).as_bytes()));
        let Manifest {
            digest, raw_digest, ..
        } = parse(PAYLOAD.as_bytes()).expect("a manifest");
        assert_eq!(digest, raw_digest);
    }

    #[test]
    fn several_signatures_have_one_payload() {
        let head = PAYLOAD.trim_end_matches(['}', '\n']);
        let (one, other) = (signature(head.len(), "\n}"), signature(head.len(), "}"));
        let of = |signatures: &str| format!("{head}, \"signatures\" : [{signatures}]}}");
        assert!(parse(of(&format!("{one}, {one}")).as_bytes()).is_ok());
        assert!(refused(&of(&format!("{one}, {other}"))).contains("different payloads"));
        assert!(refused(&of("")).contains("there is no signature"));
        assert!(refused(&of("null")).contains("signatures[0] is missing"));
        assert!(refused(&of("{}")).contains("protected is missing"));
        assert!(refused(&of("{\"protected\": \"?\"}")).contains("protected is not valid base64"));
        let twice = BASE64_URL_SAFE_NO_PAD.encode(r#"{"formatLength":1,"FormatLength":2}"#);
        let twice = of(&format!("{{\"protected\": \"{twice}\"}}"));
        assert!(refused(&twice).starts_with("ambiguous manifest: protected has the key"));
    }

    /// A document around something that has any digest.
    #[test]
    fn the_payload_must_be_the_whole_document() {
        let evil = r#"{"schemaVersion":1,"architecture":"amd64""#;
        let wrapper = |length: usize, tail: &str| {
            format!("{evil},\"signatures\":[{}]}}", signature(length, tail))
        };
        assert!(parse(wrapper(evil.len(), "}").as_bytes()).is_ok());
        let image = r#"{"schemaVersion":2,"manifests":[]}"#;
        let schema1 = r#"{"schemaVersion":1,"architecture":"arm64"}"#;
        for (length, tail) in [
            // The payload is another text, that of the tail.
            (0, image),
            (0, schema1),
            (0, "}"),
            (1, &image[1..]),
            (1, &schema1[1..]),
            // It ends before the last field, or in it.
            (1, "}"),
            (r#"{"schemaVersion":1"#.len(), "}"),
            (evil.len() - 1, "\"}"),
            // It adds a field.
            (evil.len(), r#","fsLayers":[]}"#),
            // It reaches into the signatures, or beyond the end.
            (evil.len() + 1, "}"),
            (evil.len() + 40, "}"),
            (999_999, "}"),
        ] {
            let error = refused(&wrapper(length, tail));
            assert!(
                error.starts_with("damaged manifest: schema 1 signature: "),
                "{error}"
            );
        }
        for after in [
            r#","architecture":"arm64"}"#,
            r#","fsLayers":[]}"#,
            r#","x":0}"#,
        ] {
            let around = format!(
                "{evil},\"signatures\":[{}]{after}",
                signature(evil.len(), "}")
            );
            refused(&around);
        }
        let before = format!(
            "{{\"signatures\":[{}],\"schemaVersion\":1}}",
            signature(1, "\"schemaVersion\":1}")
        );
        refused(&before);
    }

    #[test]
    fn wrong_types_are_damage() {
        for (text, why) in [
            (
                r#"{"schemaVersion":1,"architecture":5}"#,
                "architecture is not a string",
            ),
            (
                r#"{"schemaVersion":1,"history":"x"}"#,
                "history is not a list",
            ),
            (
                r#"{"schemaVersion":1,"history":[5]}"#,
                "history[0] is not an object",
            ),
            (
                r#"{"schemaVersion":1,"history":[{"v1Compatibility":{}}]}"#,
                "history[0].v1Compatibility is not a string",
            ),
            (
                r#"{"schemaVersion":1,"history":[{"v1Compatibility":"x"}]}"#,
                "v1Compatibility: not JSON",
            ),
            (
                r#"{"schemaVersion":1,"history":[{"v1Compatibility":"{\"os\":[]}"}]}"#,
                "v1Compatibility: os is not a string",
            ),
        ] {
            let error = parse(text.as_bytes()).expect_err(text);
            assert!(matches!(error, ManifestError::Damaged(_)), "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn the_platform_comes_from_the_newest_history_entry() {
        let manifest = parse(PAYLOAD.as_bytes()).expect("a manifest");
        let Body::Schema1(platform) = manifest.body else {
            panic!("not schema 1")
        };
        assert_eq!(platform.to_string(), "linux/arm/v7");
    }
}
