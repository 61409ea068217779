use super::answer::{LONGEST, NoToken};
use super::*;
use crate::registry::challenge::Bearer;
use crate::registry::login::Logins;

#[test]
fn responses_are_parsed_leniently() {
    let now = Instant::now();
    let life = |body: &str| {
        parse(body.as_bytes(), now)
            .ok()
            .map(|(token, _)| (token.expires - now).as_secs())
    };
    assert_eq!(life(r#"{"token":"a"}"#), Some(50));
    assert_eq!(life(r#"{"access_token":"a","expires_in":300}"#), Some(290));
    assert_eq!(life(r#"{"token":"a","expires_in":"300"}"#), Some(290));
    assert_eq!(life(r#"{"token":"a","expires_in":300.5}"#), Some(290));
    assert_eq!(life(r#"{"token":"a","expires_in":-5}"#), Some(50));
    assert_eq!(
        life(r#"{"token":"a","expires_in":1,"issued_at":"yesterday"}"#),
        Some(50)
    );
    for body in [
        "",
        "[]",
        "{}",
        r#"{"token":""}"#,
        r#"{"token":7}"#,
        r#"{"token":"a\nb"}"#,
    ] {
        let why = parse(body.as_bytes(), now).expect_err(body);
        assert_eq!(why, NoToken::Absent, "{body}");
    }
    let of_length = |length: usize| {
        let body = format!(r#"{{"token":"{}"}}"#, "x".repeat(length));
        parse(body.as_bytes(), now).map(|(token, _)| token.text().len())
    };
    assert_eq!(of_length(LONGEST), Ok(LONGEST));
    assert_eq!(of_length(LONGEST + 1), Err(NoToken::TooLong(LONGEST + 1)));
    let both = parse(br#"{"token":"a","access_token":"b"}"#, now)
        .expect("a token")
        .0;
    assert_eq!(both.header().expose(), "Bearer b");
}

#[test]
fn the_own_scope_comes_first_and_once() {
    let bearer = Bearer {
        scopes: vec!["repository:a/b:pull,push".to_owned(), "aws".to_owned()],
        ..Bearer::default()
    };
    let base = Url::parse("https://reg.io/").expect("a URL");
    let query = TokenQuery {
        host: "reg.io",
        base: &base,
        bearer: &bearer,
        scope: "repository:a/b:pull",
        credential: None,
        logins: &Logins::default(),
        next: None,
    };
    assert_eq!(query.key().scopes, ["repository:a/b:pull", "aws"]);
}
