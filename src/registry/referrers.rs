//! Finds the referrers of a manifest, and the tags of cosign.
//!
//! Specification: OCI distribution-spec, "Listing Referrers", with the "Referrers Tag Schema" for
//! registries that do not support it.

use ureq::http::Method;
use url::Url;

use super::Side;
use super::client::Client;
use super::error::Error;
use super::exchange::{BodyMode, Response};
use super::query::Query;
use super::quirks;
use crate::log::Log;
use crate::manifest::{
    Digest, Link, ListedReferrer, MAX_BYTES, MAX_ENTRIES, ManifestError, MediaType, artifact_type,
    is_referrers_list, referrers,
};
use crate::reference::{DOCKER_HUB, Reference, Repository};

/// The media type of a list of referrers.
const ACCEPT: [&str; 1] = [MediaType::OciIndex.as_str()];

/// The total timeout for the pages of one list, in multiples of `--timeout`.
const PAGES_TIMEOUTS: u32 = 10;

/// The maximum number of pages per list.
const MAX_PAGES: usize = 1000;

#[derive(Clone, Debug, Default)]
pub struct ReferrersList {
    /// The valid entries, in their order.
    pub entries: Vec<ListedReferrer>,
    /// The error of the first damaged entry.
    pub damage: Option<Error>,
    /// Whether it is the index under the fallback tag.
    pub is_tagged: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferrerManifest {
    pub size: u64,
    pub artifact_type: Option<String>,
}

impl Client {
    /// Reads the manifest of a referrer.
    ///
    /// # Errors
    /// As [`Client::manifest`].
    pub fn referrer(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        log: &Log,
    ) -> Result<ReferrerManifest, Error> {
        let (manifest, bytes) = self.manifest_bytes(side, repository, digest, log)?;
        let artifact_type = artifact_type(&bytes).map_err(|error| {
            let reference = Reference::Digest(digest.clone());
            let query = Query::manifest(Method::GET, repository, &reference);
            Error::Invalid(query.diagnostic(error.to_string()))
        })?;
        Ok(ReferrerManifest {
            size: manifest.size,
            artifact_type,
        })
    }

    /// The digest of the manifest under one of cosign's tags.
    ///
    /// # Errors
    /// As [`Client::listed`].
    pub fn tagged(
        &self,
        side: Side,
        repository: &Repository,
        subject: &Digest,
        link: Link,
        log: &Log,
    ) -> Result<Option<Digest>, Error> {
        let reference = Reference::Tag(link.tag(subject));
        // GET must confirm a 404 of HEAD, and most tags do not exist: one GET is cheaper than both.
        // But Docker Hub's HEAD is reliable, and its GETs are counted.
        if repository.registry == DOCKER_HUB {
            match self.head(side, repository, &reference, log) {
                Ok(Some(digest)) => return Ok(Some(digest)),
                Ok(None) | Err(Error::Denied(_) | Error::Invalid(_)) => {}
                Err(Error::Missing(_)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        match self.manifest(side, repository, &reference, log) {
            Ok(manifest) => Ok(Some(manifest.digest)),
            Err(Error::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The manifests that name this one as their subject: from the registry's list, or from the index
    /// under the fallback tag.
    ///
    /// # Errors
    /// [`Error`], but never [`Error::Missing`]: without referrers the list is empty.
    pub fn listed(
        &self,
        side: Side,
        repository: &Repository,
        subject: &Digest,
        log: &Log,
    ) -> Result<ReferrersList, Error> {
        // Sent for each subject: some registries respond with 404 for a subject that they do not have.
        if let Some(list) = self.fetch_referrers(side, repository, subject, log)? {
            return Ok(list);
        }
        let mut list = ReferrersList {
            is_tagged: true,
            ..ReferrersList::default()
        };
        let reference = Reference::Tag(Link::Referrers.tag(subject));
        match self.manifest_and_bytes(side, repository, &reference, log) {
            // GitLab takes the tag for the digest, and returns the subject itself.
            Ok((manifest, _)) if manifest.digest == *subject || manifest.raw_digest == *subject => {
            }
            Ok((manifest, bytes)) if manifest.media_type.is_index() => {
                let query = Query::manifest(Method::GET, repository, &reference);
                list.read(&bytes, &query)?;
            }
            // The tag belongs to something else.
            Ok(_) | Err(Error::Missing(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(list)
    }

    /// All pages of the registry's list; `None` if it has none or does not support the query.
    fn fetch_referrers(
        &self,
        side: Side,
        repository: &Repository,
        subject: &Digest,
        log: &Log,
    ) -> Result<Option<ReferrersList>, Error> {
        let mut found = ReferrersList::default();
        let mut path = format!("{}/referrers/{subject}", repository.registry_path());
        let mut page = 0;
        let begun = self.retrier.clock().now();
        let most = PAGES_TIMEOUTS * self.retrier.timeout();
        loop {
            let query = Query {
                method: Method::GET,
                repository,
                path,
                accept: &ACCEPT,
                body: BodyMode::Keep(MAX_BYTES),
            };
            let answer = self.send(side, &query, log)?;
            // A store behind a redirect knows nothing of referrers.
            let from_store = !answer.from_registry && quirks::is_xml(&answer.response);
            let status = answer.response.status.as_u16();
            if page == 0 && matches!(status, 400 | 404 | 405 | 406) && !from_store {
                return Ok(None);
            }
            let invalid = |why: &str| Error::Invalid(query.diagnostic(why));
            let response = answer.judge(&query).map_err(|error| match error {
                // The previous page existed.
                Error::Missing(diagnostic) => Error::Invalid(diagnostic),
                error => error,
            })?;
            if !is_list(&response) {
                // Servers that do not support the query may return anything, but not this type.
                if page == 0 && !is_index(&response.header("content-type").unwrap_or_default()) {
                    return Ok(None);
                }
                return Err(invalid("the response is not a list of referrers"));
            }
            found.read(&response.body, &query)?;
            if found.entries.len() > MAX_ENTRIES {
                return Err(Error::Invalid(query.diagnostic(format!(
                    "the list of referrers has more than {MAX_ENTRIES} entries"
                ))));
            }
            match next_page(&response) {
                None => return Ok(Some(found)),
                Some(Ok(_)) if page + 1 == MAX_PAGES => {
                    return Err(Error::Invalid(query.diagnostic(format!(
                        "the list of referrers has more than {MAX_PAGES} pages"
                    ))));
                }
                Some(Ok(_)) if self.retrier.clock().now() - begun > most => {
                    return Err(Error::Unreachable(query.diagnostic(format!(
                        "the list of referrers was not complete within {} s",
                        most.as_secs()
                    ))));
                }
                Some(Ok(next)) => {
                    path = next;
                    page += 1;
                }
                Some(Err(())) => {
                    return Err(invalid(
                        "the Link header of the list of referrers does not lead to this registry",
                    ));
                }
            }
        }
    }
}

fn is_index(name: &str) -> bool {
    MediaType::from_header(name) == Some(MediaType::OciIndex)
}

/// Whether a response is a list of referrers.
fn is_list(response: &Response) -> bool {
    let is_index = is_index(&response.header("content-type").unwrap_or_default());
    is_referrers_list(&response.body, is_index)
}

impl ReferrersList {
    /// Adds a page.
    fn read(&mut self, bytes: &[u8], query: &Query<'_>) -> Result<(), Error> {
        let invalid = |error: ManifestError| Error::Invalid(query.diagnostic(error.to_string()));
        for entry in referrers(bytes).map_err(invalid)? {
            match entry {
                Ok(entry) => self.entries.push(entry),
                Err(error) if self.damage.is_none() => self.damage = Some(invalid(error)),
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// The path of the next page (RFC 8288), below `/v2/`; an error if the link is invalid or leads
/// elsewhere.
pub fn next_page(response: &Response) -> Option<Result<String, ()>> {
    response.header_lines("link").iter().find_map(|line| {
        // A target may contain commas, so the line is not split at them.
        line.split('<').skip(1).find_map(|link| {
            let (target, parameters) = link.split_once('>').unwrap_or(("", link));
            let parameters: String = parameters
                .chars()
                .filter(|c| !c.is_whitespace() && *c != '"')
                .collect();
            parameters
                .to_ascii_lowercase()
                .split([';', ','])
                .any(|parameter| parameter == "rel=next")
                .then(|| path_of(&response.url, target))
        })
    })
}

fn path_of(from: &Url, target: &str) -> Result<String, ()> {
    if target.is_empty() {
        return Err(());
    }
    let url = from.join(target).map_err(|_| ())?;
    if url.origin() != from.origin() {
        return Err(());
    }
    let (_, path) = url.path().split_once("/v2/").ok_or(())?;
    Ok(match url.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_on_the_same_registry() {
        for (link, expected) in [
            (
                "</v2/a/referrers/x?last=1>; rel=\"next\"",
                Some(Ok("a/referrers/x?last=1")),
            ),
            ("<https://reg.io/v2/a?n=1>;rel=next", Some(Ok("a?n=1"))),
            ("<https://evil.io/v2/a?n=1>; rel=\"next\"", Some(Err(()))),
            ("</other>; rel=\"next\"", Some(Err(()))),
            ("</v2/a>; rel=\"prev\"", None),
            ("</v2/a?last=a,b>; rel=\"next\"", Some(Ok("a?last=a,b"))),
            (
                "</v2/a?n=1>;\tREL = Next, </v2/b>; rel=last",
                Some(Ok("a?n=1")),
            ),
            ("</v2/a; rel=\"next\"", Some(Err(()))),
            ("<>; rel=\"next\"", Some(Err(()))),
            ("garbage", None),
        ] {
            let response = Response::for_test(200, &[("link", link)], "");
            assert_eq!(
                next_page(&response),
                expected.map(|path| path.map(str::to_owned)),
                "{link}"
            );
        }
        assert_eq!(next_page(&Response::for_test(200, &[], "")), None);
    }

    #[test]
    fn a_list_is_recognized_by_its_type() {
        let list = |content_type: &str, body: &str| {
            is_list(&Response::for_test(
                200,
                &[("content-type", content_type)],
                body,
            ))
        };
        let index = MediaType::OciIndex.as_str();
        assert!(list(index, r#"{"schemaVersion":2,"manifests":[]}"#));
        assert!(list(
            "application/json",
            &format!(r#"{{"mediaType":"{index}","manifests":null}}"#)
        ));
        assert!(!list("application/json", "{}"));
        assert!(!list("text/html", "<html>"));
        assert!(!list(index, "<html>"));
        assert!(list(index, "{}"));
        assert!(!list(index, r#"{"errors":[]}"#));
    }
}
