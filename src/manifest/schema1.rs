//! Docker image manifest, schema 1: the format before configs and indexes.
//!
//! Its platform stands in the manifest and in the newest history entry; its digest, when it is
//! signed, is that of the payload without the signatures (libtrust's "pretty signature").

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Digest, ManifestError, Platform};

/// The platform: `architecture` of the manifest, `os` and `variant` of the newest history entry.
pub fn platform(object: &Map<String, Value>) -> Result<Platform, ManifestError> {
    let mut platform = object
        .get("history")
        .and_then(|history| history.get(0))
        .and_then(|newest| newest.get("v1Compatibility"))
        .and_then(Value::as_str)
        .map(serde_json::from_str::<Value>)
        .transpose()
        .map_err(|error| ManifestError::Damaged(format!("v1Compatibility is not JSON ({error})")))?
        .map(|config| Platform::from_json(&config))
        .unwrap_or_default();
    if let Some(architecture) = object.get("architecture").and_then(Value::as_str) {
        architecture.clone_into(&mut platform.architecture);
    }
    Ok(platform)
}

/// The digest of the payload that the signatures sign.
pub fn payload_digest(bytes: &[u8], object: &Map<String, Value>) -> Result<Digest, ManifestError> {
    let damaged = |what: &str| ManifestError::Damaged(format!("schema 1 signature: {what}"));
    let signatures = object
        .get("signatures")
        .and_then(Value::as_array)
        .ok_or_else(|| damaged("\"signatures\" is not a list"))?;
    let mut payload: Option<Vec<u8>> = None;
    for signature in signatures {
        let protected = signature
            .get("protected")
            .and_then(Value::as_str)
            .and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok())
            .and_then(|json| serde_json::from_slice::<Value>(&json).ok())
            .ok_or_else(|| damaged("\"protected\" cannot be read"))?;
        let length = protected
            .get("formatLength")
            .and_then(Value::as_u64)
            .and_then(|length| usize::try_from(length).ok())
            .ok_or_else(|| damaged("no formatLength"))?;
        let tail = protected
            .get("formatTail")
            .and_then(Value::as_str)
            .and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok())
            .ok_or_else(|| damaged("no formatTail"))?;
        let head = bytes
            .get(..length)
            .ok_or_else(|| damaged("formatLength is beyond the manifest"))?;
        let signed = [head, &tail].concat();
        if payload.as_ref().is_some_and(|other| *other != signed) {
            return Err(damaged("the signatures are of different payloads"));
        }
        payload = Some(signed);
    }
    match payload {
        Some(payload) => Ok(Digest::of(&payload)),
        // `"signatures": []`: nothing was cut out.
        None => Ok(Digest::of(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, MediaType, parse};
    use super::*;
    use serde_json::json;

    /// Signs as libtrust writes it: the signatures are put before the closing brace.
    fn signed(payload: &str) -> String {
        let head = payload.trim_end_matches(['}', '\n']);
        let tail = &payload[head.len()..];
        let protected =
            json!({"formatLength": head.len(), "formatTail": BASE64_URL_SAFE_NO_PAD.encode(tail)});
        let protected = BASE64_URL_SAFE_NO_PAD.encode(protected.to_string());
        format!("{head},\n   \"signatures\": [{{\"protected\": \"{protected}\"}}]\n}}")
    }

    const PAYLOAD: &str = "{\n   \"schemaVersion\": 1,\n   \"architecture\": \"arm\",\n   \"history\": [{\"v1Compatibility\": \"{\\\"os\\\":\\\"linux\\\",\\\"variant\\\":\\\"v7\\\"}\"}]\n}";

    #[test]
    fn the_digest_is_that_of_the_payload() {
        let manifest = parse(signed(PAYLOAD).as_bytes()).expect("a manifest");
        assert_eq!(manifest.media_type, MediaType::Schema1Signed);
        assert_eq!(manifest.digest, Digest::of(PAYLOAD.as_bytes()));
    }

    #[test]
    fn the_platform_comes_from_the_newest_history_entry() {
        let manifest = parse(PAYLOAD.as_bytes()).expect("a manifest");
        let Body::Schema1(platform) = manifest.body else {
            panic!("not schema 1")
        };
        assert_eq!(platform.to_string(), "linux/arm/v7");
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error() {
        let protected = BASE64_URL_SAFE_NO_PAD.encode(r#"{"formatLength":999999,"formatTail":""}"#);
        let body =
            json!({"schemaVersion": 1, "signatures": [{"protected": protected}]}).to_string();
        assert!(matches!(
            parse(body.as_bytes()),
            Err(ManifestError::Damaged(_))
        ));
    }
}
