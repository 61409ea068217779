//! Decides what to do after an attempt: the only place that decides about retries.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::registry::answer::words;
use crate::registry::exchange::Response;
use crate::registry::failure::Failure;
use crate::registry::quirks;

/// The longest Retry-After that is respected.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Return the response: the server would repeat it.
    Done,
    /// Fail: a retry cannot succeed.
    Never,
    /// Retry at once: the server closed a reused connection before it saw the request. Not counted as an
    /// attempt.
    StaleConnection,
    /// Retry: the connection broke during the request.
    BrokenConnection,
    /// Retry: there is no connection to the host.
    NoConnection,
    /// Retry: a temporary error of the host or of this request.
    Temporary,
    /// Retry once: a timeout is expensive.
    Slow,
    /// Wait at least this long: the host requests a pause of all clients.
    Pause(Duration),
    /// A temporary error with a pause of all clients.
    TemporaryPause(Duration),
}

impl Retry {
    /// Whether the host is up.
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Done | Self::Never | Self::Pause(_))
    }

    /// The pause that the host requests.
    pub fn pause(self) -> Option<Duration> {
        match self {
            Self::Pause(pause) | Self::TemporaryPause(pause) => Some(pause),
            _ => None,
        }
    }
}

pub fn classify(result: &Result<Response, Failure>) -> Retry {
    match result {
        Ok(response) => classify_response(response),
        Err(failure) => classify_failure(failure),
    }
}

fn classify_response(response: &Response) -> Retry {
    match response.status.as_u16() {
        // Counted over hours: retries do not help.
        429 if quirks::is_pull_limit(response, &words(response)) => Retry::Done,
        // The host works, and its clients are too fast.
        429 => Retry::Pause(retry_after(response).unwrap_or_default()),
        // 408: a proxy gave up waiting for the request. 425: TLS early data. 499: nginx's code for a
        // client that left, sent by proxies behind it. 5xx: the server, or one behind it, failed; 520 to
        // 524 are Cloudflare's codes for that. 501 and 505 are final.
        408 | 425 | 499 | 500 | 502 | 503 | 504 | 520..=524 => match retry_after(response) {
            Some(pause) => Retry::TemporaryPause(pause),
            None => Retry::Temporary,
        },
        // Everything else is final, refusals included.
        _ => Retry::Done,
    }
}

fn classify_failure(failure: &Failure) -> Retry {
    match failure {
        // Servers close idle connections without notice (quay.io after 5 s, nginx after 75 s).
        Failure::Lost { stale: true, .. } => Retry::StaleConnection,
        Failure::Lost { stale: false, .. } => Retry::BrokenConnection,
        // Reported by the network before the host has seen the request.
        Failure::Refused(_) | Failure::ConnectTimeout => Retry::NoConnection,
        Failure::Lookup(lookup) if lookup.is_temporary => Retry::NoConnection,
        // The host or its storage is slow. Every attempt costs a timeout: at most
        // two together.
        Failure::Timeout(_) => Retry::Slow,
        // Unknown names, certificates, other protocols, bodies above the limit, invalid settings: the
        // same for every attempt. No retries after an interrupt.
        Failure::Lookup(_)
        | Failure::NotTls
        | Failure::Tls(_)
        | Failure::ProxyLogin { .. }
        | Failure::NotHttp(_)
        | Failure::TooLarge(_)
        | Failure::Setup(_)
        | Failure::OwnAddress
        | Failure::Interrupted => Retry::Never,
    }
}

/// The pause in Retry-After, at most a minute. Both forms of RFC 9110, 10.2.3.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.header("retry-after")?;
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(&text).ok()?.to_utc() - Utc::now())
            .to_std()
            .ok()?,
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::failure::LookupFailed;
    use crate::registry::tls::{Remedy, TlsFailure};

    fn status(status: u16) -> Retry {
        classify(&Ok(Response::for_test(status, &[], "")))
    }

    #[test]
    fn statuses_are_final_or_temporary() {
        for code in [200, 206, 301, 307, 400, 401, 403, 404, 405, 416, 501, 505] {
            assert_eq!(status(code), Retry::Done, "{code}");
        }
        for code in [408, 425, 499, 500, 502, 503, 504, 520, 524] {
            assert_eq!(status(code), Retry::Temporary, "{code}");
        }
        assert_eq!(status(429), Retry::Pause(Duration::ZERO));
    }

    #[test]
    fn failures_are_final_or_temporary() {
        let lookup = |is_temporary| {
            Failure::Lookup(LookupFailed {
                text: String::new(),
                is_temporary,
            })
        };
        let lost = |stale| Failure::Lost {
            text: String::new(),
            stale,
        };
        for (failure, expected) in [
            (Failure::Refused(String::new()), Retry::NoConnection),
            (Failure::ConnectTimeout, Retry::NoConnection),
            (lookup(true), Retry::NoConnection),
            (lookup(false), Retry::Never),
            (lost(true), Retry::StaleConnection),
            (lost(false), Retry::BrokenConnection),
            (Failure::Timeout(String::new()), Retry::Slow),
            (
                Failure::Tls(TlsFailure::new("", Remedy::Server)),
                Retry::Never,
            ),
            (Failure::NotTls, Retry::Never),
            (Failure::TooLarge(1), Retry::Never),
            (Failure::Interrupted, Retry::Never),
        ] {
            let text = format!("{failure:?}");
            assert_eq!(classify(&Err(failure)), expected, "{text}");
        }
    }

    #[test]
    fn docker_hub_s_pull_limit_is_final_and_its_rate_limit_is_not() {
        let of = |host: &str, words: &str| {
            let mut response = Response::for_test(429, &[("retry-after", "7")], words);
            response.url.set_host(Some(host)).expect("a host");
            classify(&Ok(response))
        };
        let pulls = "You have reached your unauthenticated pull rate limit.";
        let pause = Retry::Pause(Duration::from_secs(7));
        assert_eq!(of(quirks::DOCKER_HUB_API, pulls), Retry::Done);
        assert_eq!(of(quirks::DOCKER_HUB_API, "Too Many Requests"), pause);
        assert_eq!(of("reg.io", pulls), pause);
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        let of = |text: &str| retry_after(&Response::for_test(429, &[("retry-after", text)], ""));
        assert_eq!(of("3"), Some(Duration::from_secs(3)));
        assert_eq!(of("86400"), Some(LONGEST_PAUSE));
        assert_eq!(of("soon"), None);
        let soon = (Utc::now() + Duration::from_secs(20))
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string();
        assert!(
            of(&soon).is_some_and(
                |time| time > Duration::from_secs(15) && time <= Duration::from_secs(20)
            )
        );
        assert_eq!(
            of("Wed, 21 Oct 2015 07:28:00 GMT"),
            None,
            "the past is no pause"
        );
    }
}
