//! The response of a token server, and the token in it.

use std::time::{Duration, Instant};

use crate::registry::fields::{Field, fields};
use crate::registry::secret::Secret;

/// The minimum lifetime of a token, whatever the server says (as in other clients).
const LEAST_LIFE: Duration = Duration::from_secs(60);

/// Tokens are renewed this long before they expire.
const EARLY: Duration = Duration::from_secs(10);

/// The maximum size of a token in bytes.
pub const LONGEST: usize = 128 * 1024;

/// The prefix of a token in its header.
const BEARER: &str = "Bearer ";

/// A token with its expiry.
#[derive(Clone, Debug)]
pub struct Token {
    /// The value of the Authorization header.
    header: Secret,
    pub expires: Instant,
}

/// Why a response contains no usable token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    #[error("the token server returned no token")]
    Absent,
    /// Its length in bytes.
    #[error("the token server returned a token of {0} bytes; the maximum is {max} KiB", max = LONGEST / 1024)]
    TooLong(usize),
}

impl Token {
    pub fn header(&self) -> Secret {
        self.header.clone()
    }

    pub fn text(&self) -> &str {
        &self.header.expose()[BEARER.len()..]
    }

    pub fn is_fresh(&self, now: Instant) -> bool {
        now < self.expires
    }
}

/// Parses the response of a token server, leniently: servers disagree on names and types. The second
/// result is an identity token that replaces the one that was sent.
///
/// # Errors
/// [`NoToken`] if there is no usable token.
pub fn parse(body: &[u8], now: Instant) -> Result<(Token, Option<Secret>), NoToken> {
    let wanted = ["access_token", "token", "refresh_token", "expires_in"];
    let mut found = fields(body, &wanted)
        .map_err(|_| NoToken::Absent)?
        .into_iter();
    let mut next = || found.next().unwrap_or_default();
    let [access, token, replaced] = [next(), next(), next()].map(Field::text);
    let seconds = match next() {
        Field::Text(text) => text.trim().parse().ok(),
        Field::Number(number) => Some(number),
        _ => None,
    };
    let token = access.or(token).ok_or(NoToken::Absent)?;
    // A token with control characters could inject a header.
    if token.bytes().any(|b| b.is_ascii_control()) {
        return Err(NoToken::Absent);
    }
    let longest = token.len().max(replaced.as_ref().map_or(0, String::len));
    if longest > LONGEST {
        return Err(NoToken::TooLong(longest));
    }
    let life = seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(LEAST_LIFE);
    let life = life.clamp(LEAST_LIFE, Duration::from_secs(24 * 3600));
    let token = Token {
        header: Secret::new(format!("{BEARER}{token}")),
        expires: now + life.saturating_sub(EARLY),
    };
    Ok((token, replaced.map(Secret::new)))
}
