//! The `WWW-Authenticate` header: the authentication schemes that a server offers.
//!
//! Grammar: RFC 9110, 11.6.1. A line may hold several challenges, a value may hold commas, and
//! registries vary the letter case, so the line is read character by character, never split.

/// One offered authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// User and password in every request.
    Basic,
    /// A token from a token server.
    Bearer(Bearer),
}

/// A Bearer challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bearer {
    /// URL of the token server; may be relative.
    pub realm: String,
    /// The registry's name at the token server; may be empty.
    pub service: String,
    /// The scopes of the token; may be empty.
    pub scopes: Vec<String>,
    /// The reason for refusing the token that was sent: `invalid_token`, `insufficient_scope`.
    pub error: String,
}

impl Bearer {
    /// The number of bytes kept in memory.
    pub fn length(&self) -> usize {
        let scopes: usize = self.scopes.iter().map(|scope| scope.len() + 1).sum();
        self.realm.len() + self.service.len() + scopes
    }
}

/// Parses all lines of the header; schemes other than Basic and Bearer are ignored.
pub fn parse(lines: &[String]) -> Vec<Challenge> {
    lines
        .iter()
        .flat_map(|line| Reader { rest: line }.challenges())
        .collect()
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn challenges(mut self) -> Vec<Challenge> {
        let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
        loop {
            self.skip(|c| c == ',' || c.is_whitespace());
            if self.rest.is_empty() {
                break;
            }
            let word = self.token();
            if word.is_empty() {
                // An unexpected character.
                self.advance();
                continue;
            }
            let before = self.rest;
            self.skip(char::is_whitespace);
            if self.rest.starts_with('=') && !found.is_empty() {
                self.advance();
                self.skip(char::is_whitespace);
                let value = self.value();
                if let Some((_, parameters)) = found.last_mut() {
                    parameters.push((word.to_ascii_lowercase(), value));
                }
            } else {
                self.rest = before;
                found.push((word.to_ascii_lowercase(), Vec::new()));
            }
        }
        found
            .into_iter()
            .filter_map(|(scheme, parameters)| challenge(&scheme, parameters))
            .collect()
    }

    fn token(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)));
        let (token, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        token
    }

    /// A quoted string, or everything up to a comma or blank.
    fn value(&mut self) -> String {
        if !self.rest.starts_with('"') {
            let end = self
                .rest
                .find(|c: char| c == ',' || c.is_whitespace())
                .unwrap_or(self.rest.len());
            let (value, rest) = self.rest.split_at(end);
            self.rest = rest;
            return value.to_owned();
        }
        self.advance();
        let mut value = String::new();
        while let Some(c) = self.advance() {
            match c {
                '"' => break,
                '\\' => value.extend(self.advance()),
                c => value.push(c),
            }
        }
        value
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(what);
    }
}

fn challenge(scheme: &str, parameters: Vec<(String, String)>) -> Option<Challenge> {
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => {
            let mut bearer = Bearer::default();
            for (name, value) in parameters {
                match name.as_str() {
                    "realm" => bearer.realm = value,
                    "service" => bearer.service = value,
                    "scope" => bearer
                        .scopes
                        .extend(value.split_whitespace().map(str::to_owned)),
                    "error" => bearer.error = value,
                    _ => {}
                }
            }
            // Without a realm there is no token server.
            (!bearer.realm.is_empty()).then_some(Challenge::Bearer(bearer))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Vec<Challenge> {
        parse(
            &lines
                .iter()
                .map(|line| (*line).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    fn bearer(realm: &str, service: &str, scopes: &[&str]) -> Challenge {
        Challenge::Bearer(Bearer {
            realm: realm.to_owned(),
            service: service.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            error: String::new(),
        })
    }

    #[test]
    fn challenges_of_real_registries() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        assert_eq!(
            read(&[hub]),
            [bearer(
                "https://auth.docker.io/token",
                "registry.docker.io",
                &["repository:a/b:pull,push"]
            )]
        );
        assert_eq!(
            read(&[r#"BASIC realm="Sonatype Nexus Repository Manager""#]),
            [Challenge::Basic]
        );
        assert_eq!(read(&["basic"]), [Challenge::Basic]);
        let aliyun = r#"Bearer realm="https://d.aliyuncs.com/auth",service="registry.aliyuncs.com:cn-hangzhou:26842""#;
        assert_eq!(
            read(&[aliyun]),
            [bearer(
                "https://d.aliyuncs.com/auth",
                "registry.aliyuncs.com:cn-hangzhou:26842",
                &[]
            )]
        );
        assert_eq!(
            read(&[r#"bearer Realm="/t", SCOPE="aws""#]),
            [bearer("/t", "", &["aws"])]
        );
        assert_eq!(read(&[""]), []);
        assert_eq!(read(&["Bearer"]), []);
    }

    #[test]
    fn several_challenges_in_one_header_and_in_several() {
        let line = r#"Negotiate abc==, Bearer realm="https://t/x?a=1,2" , scope="a:b:c d:e:f", Basic realm="q \"quoted\" x""#;
        assert_eq!(
            read(&[line]),
            [
                bearer("https://t/x?a=1,2", "", &["a:b:c", "d:e:f"]),
                Challenge::Basic
            ]
        );
        assert_eq!(
            read(&[r#"Basic realm="a""#, r#"Bearer realm=b,service=c"#]),
            [Challenge::Basic, bearer("b", "c", &[])]
        );
    }

    proptest! {
        #[test]
        fn no_line_causes_a_panic(line in any::<String>()) {
            let _ = read(&[&line]);
        }

        #[test]
        fn a_written_challenge_is_parsed_back(realm in "[a-z:/.?=&, \"\\\\]{1,30}", service in "[a-z:. ,]{0,20}") {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let line = format!(r#"Bearer realm="{}", service="{}""#, quote(&realm), quote(&service));
            prop_assert_eq!(read(&[&line]), [bearer(&realm, &service, &[])]);
        }
    }
}
