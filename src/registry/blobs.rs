//! Whether a registry really holds a blob, and whether it is what its descriptor says.
//!
//! Specification: OCI distribution-spec, "Checking if content exists in the registry" and "Pulling
//! blobs". An answer to HEAD is a claim: what speaks against a blob is found out by GET.

use ureq::http::Method;

use super::Side;
use super::client::Client;
use super::error::Error;
use super::exchange::{BodyMode, Response};
use super::query::Query;
use crate::log::Log;
use crate::manifest::Digest;
use crate::reference::Repository;

impl Client {
    /// The length in bytes of a blob that the registry holds. `expected`: what it should be, if that
    /// is known; HEAD is believed where it does not say otherwise.
    ///
    /// # Errors
    /// [`Error::Missing`] only where the registry says that it does not have it.
    pub fn blob_size(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        expected: Option<u64>,
        log: &Log,
    ) -> Result<u64, Error> {
        let ask = |method, body| {
            let query = Query::blob(method, repository, digest, body);
            let answer = self.send_confirmed(side, &query, log)?;
            // A blob of no bytes has no first one.
            if answer.response.status.as_u16() == 416 && told_length(&answer.response) == Some(0) {
                return Ok(answer.response);
            }
            answer.judge(&query)
        };
        match ask(Method::HEAD, BodyMode::Keep(0)) {
            Ok(response) => {
                let is_expected = |told: &u64| expected.is_none_or(|expected| expected == *told);
                if let Some(told) = told_length(&response).filter(is_expected) {
                    return Ok(told);
                }
            }
            // Stores refuse HEAD where only GET was signed.
            Err(Error::Missing(_) | Error::Denied(_) | Error::Invalid(_)) => {}
            Err(error) => return Err(error),
        }
        let response = ask(Method::GET, BodyMode::FirstByte)?;
        match told_length(&response) {
            Some(told) => Ok(told),
            None => self
                .read_blob(side, repository, digest, expected, log)
                .map(|(_, size)| size),
        }
    }

    /// Reads a blob in constant memory: its digest and its length in bytes. `expected`: what that
    /// should be, if it is known; a longer one is not read to its end.
    ///
    /// # Errors
    /// As [`Client::blob_size`]; [`Error::Invalid`] for another blob whose length was not told in
    /// advance: it may be compressed or cut off, which says nothing of what the registry holds.
    pub fn read_blob(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        expected: Option<u64>,
        log: &Log,
    ) -> Result<(Digest, u64), Error> {
        let body = BodyMode::Hash(digest.algorithm(), expected.unwrap_or(u64::MAX));
        let query = Query::blob(Method::GET, repository, digest, body);
        let response = self.ask(side, &query, log)?;
        let length_told = told_length(&response).is_some();
        match response.hashed {
            Some((found, size)) if length_told || found == *digest => Ok((found, size)),
            _ => Err(Error::Invalid(query.diagnostic(
                "the answer is another blob, and its length was not told: it may be compressed or cut off",
            ))),
        }
    }
}

/// The length of the whole blob, from the header of an answer to HEAD or to a request for a part
/// (RFC 9110, 14.4).
fn told_length(response: &Response) -> Option<u64> {
    if response.status.as_u16() == 200 {
        // Of an encoded body it would be another length.
        let is_plain = response
            .header("content-encoding")
            .is_none_or(|encoding| encoding.is_empty() || encoding == "identity");
        return response
            .header("content-length")
            .filter(|_| is_plain)?
            .parse()
            .ok();
    }
    let range = response.header("content-range")?;
    range.rsplit_once('/')?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_read_from_every_form() {
        for (status, headers, expected) in [
            (200, &[("content-length", "7")][..], Some(7)),
            (
                200,
                &[("content-length", "7"), ("content-encoding", "gzip")],
                None,
            ),
            (200, &[], None),
            (
                206,
                &[("content-length", "1"), ("content-range", "bytes 0-0/7")],
                Some(7),
            ),
            (206, &[("content-range", "bytes 0-0/*")], None),
            (416, &[("content-range", "bytes */0")], Some(0)),
            (416, &[], None),
        ] {
            let response = Response::for_test(status, headers, "");
            assert_eq!(told_length(&response), expected, "{status} {headers:?}");
        }
    }
}
