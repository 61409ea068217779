//! The claims of a token that is a JSON web token: a hint, never proof.
//!
//! Specification: distribution, "Token Authentication Implementation" (docs/spec/auth/jwt.md), the
//! claim `access`.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

#[derive(Deserialize)]
struct Claims {
    access: Vec<Access>,
}

#[derive(Deserialize)]
struct Access {
    name: String,
    #[serde(default)]
    actions: Vec<String>,
}

/// The repositories that a token allows to pull; `None` if it does not say.
pub fn readable(token: &str) -> Option<Vec<String>> {
    let payload = token.split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    let may_pull = |access: &Access| {
        let mut actions = access.actions.iter();
        actions.any(|action| action == "pull" || action == "*")
    };
    let readable = claims.access.into_iter().filter(may_pull);
    Some(readable.map(|access| access.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_can_name_its_scopes() {
        let token = |payload: &str| format!("e30.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(payload));
        let two = r#"{"access":[{"type":"repository","name":"a/b","actions":["pull"]},
            {"type":"repository","name":"c","actions":["*"]},{"type":"x","name":"d"}]}"#;
        assert_eq!(readable(&token(two)).expect("names"), ["a/b", "c"]);
        assert_eq!(readable(&token(r#"{"access":[]}"#)).expect("none"), [""; 0]);
        for opaque in [
            "",
            "abc",
            "a.b.c",
            &token("{}"),
            &token(r#"{"access":"x"}"#),
        ] {
            assert!(readable(opaque).is_none(), "{opaque}");
        }
    }
}
