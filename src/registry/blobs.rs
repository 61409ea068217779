//! Checks that a registry holds a blob, and that its digest and length match the descriptor.
//!
//! Specification: OCI distribution-spec, "Pulling blobs". HEAD is not proof: some registries confirm
//! blobs to HEAD that GET does not find. So this program requests the first byte of a blob with GET (RFC
//! 9110, 14.2), and uses HEAD only for a length that GET does not return.

use ureq::http::Method;

use super::Side;
use super::client::Client;
use super::error::Error;
use super::exchange::{BodyMode, Response};
use super::query::Query;
use crate::log::Log;
use crate::manifest::{Algorithm, Digest};
use crate::reference::Repository;

/// A blob that a registry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBlob {
    /// Its length in bytes.
    pub size: u64,
    /// Whether the registry ignored the Range header.
    pub ignores_ranges: bool,
}

impl Client {
    /// Requests the first byte of a blob. `expected`: its length in bytes, if known; if GET does not
    /// return the length, the one of HEAD counts if it equals `expected`.
    ///
    /// # Errors
    /// [`Error::Missing`] only if the registry reports that the blob does not exist.
    pub fn held_blob(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        expected: Option<u64>,
        log: &Log,
    ) -> Result<HeldBlob, Error> {
        let query = Query::blob(Method::GET, repository, digest, BodyMode::FirstByte);
        let answer = self.send_confirmed(side, &query, log)?;
        let length = full_length(&answer.response);
        if answer.response.status.as_u16() == 416 {
            // An empty blob has no first byte.
            let size = match length {
                Some(0) => 0,
                _ => self.read_blob(side, repository, digest, expected, log)?.1,
            };
            return Ok(HeldBlob {
                size,
                ignores_ranges: false,
            });
        }
        let response = answer.judge(&query)?;
        let size = match length {
            Some(length) => length,
            None => match self.size_by_head(side, repository, digest, log) {
                Some(length) if expected == Some(length) => length,
                _ => self.read_blob(side, repository, digest, expected, log)?.1,
            },
        };
        Ok(HeldBlob {
            size,
            // For a blob of one byte, a range is the whole.
            ignores_ranges: response.status.as_u16() == 200 && size > 1,
        })
    }

    /// The length in bytes from HEAD, if HEAD returns one.
    fn size_by_head(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        log: &Log,
    ) -> Option<u64> {
        let query = Query::blob(Method::HEAD, repository, digest, BodyMode::Keep(0));
        full_length(&self.fetch(side, &query, log).ok()?)
    }

    /// Hashes a blob in constant memory: its digest and its length in bytes. `expected`: the length, if
    /// known; reading stops behind it.
    ///
    /// # Errors
    /// As [`Client::held_blob`]; [`Error::Invalid`] for another blob without a Content-Length: the
    /// body may be compressed or truncated, which proves nothing about the blob in the registry.
    pub fn read_blob(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        expected: Option<u64>,
        log: &Log,
    ) -> Result<(Digest, u64), Error> {
        let body = BodyMode::Hash(digest.algorithm(), expected);
        let query = Query::blob(Method::GET, repository, digest, body);
        let response = self.fetch(side, &query, log)?;
        let has_length = full_length(&response).is_some();
        match response.hashed {
            Some((found, size)) if has_length || found == *digest => Ok((found, size)),
            _ => Err(Error::Invalid(query.diagnostic(
                "the registry returned a different blob without a Content-Length: the body may be compressed or truncated",
            ))),
        }
    }
}

impl Client {
    /// Hashes a layer and its decompressed content in constant memory. Returns the digest of the
    /// content, computed with `algorithm`, or why it cannot be decompressed.
    ///
    /// # Errors
    /// As [`Client::read_blob`]; [`Error::Invalid`] for another blob.
    pub fn unpack_blob(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        size: u64,
        algorithm: Algorithm,
        log: &Log,
    ) -> Result<Result<Digest, String>, Error> {
        let body = BodyMode::Unpack(digest.algorithm(), size, algorithm);
        let query = Query::blob(Method::GET, repository, digest, body);
        let response = self.fetch(side, &query, log)?;
        match (response.hashed, response.unpacked) {
            (Some(found), Some(unpacked)) if found == (digest.clone(), size) => Ok(unpacked),
            _ => Err(Error::Invalid(query.diagnostic(
                "the registry returned a different blob (wrong digest or length)",
            ))),
        }
    }
}

/// The length of the whole blob, from the headers of a response to HEAD or to a range request (RFC 9110,
/// 14.4).
fn full_length(response: &Response) -> Option<u64> {
    if response.status.as_u16() == 200 {
        // The length of an encoded body is another one.
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
            assert_eq!(full_length(&response), expected, "{status} {headers:?}");
        }
    }
}
