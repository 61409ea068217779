//! What is attached to a manifest: referrers, and cosign's tags.
//!
//! Specification: OCI distribution-spec, "Listing Referrers"; where a registry does not know that,
//! "Referrers Tag Schema".

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
    Digest, Link, MAX_BYTES, MAX_ENTRIES, MediaType, Referrer, is_referrers_list, referrers,
};
use crate::reference::{DOCKER_HUB, Reference, Repository};

/// The media type of a list of referrers.
const ACCEPT: [&str; 1] = [MediaType::OciIndex.as_str()];

/// How many time-outs the pages of one list may take together.
const PAGES_TIMEOUTS: u32 = 10;

/// The most pages of one list of referrers.
const MAX_PAGES: usize = 1000;

impl Client {
    /// What is attached to a manifest, by reference or by cosign's tags, in a fixed order.
    ///
    /// # Errors
    /// [`Error`], but never [`Error::Missing`]: that nothing is attached is an empty list.
    pub fn referrers(
        &self,
        side: Side,
        repository: &Repository,
        subject: &Digest,
        log: &Log,
    ) -> Result<Vec<Referrer>, Error> {
        let mut found = self.listed(side, repository, subject, log)?;
        for link in Link::TAGS {
            if let Some(digest) = self.tagged(side, repository, subject, link, log)? {
                found.push(Referrer {
                    subject: subject.clone(),
                    by: link,
                    digest,
                    artifact_type: String::new(),
                });
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The digest of the manifest under one of cosign's tags.
    ///
    /// # Errors
    /// As [`Client::referrers`].
    pub fn tagged(
        &self,
        side: Side,
        repository: &Repository,
        subject: &Digest,
        link: Link,
        log: &Log,
    ) -> Result<Option<Digest>, Error> {
        let reference = Reference::Tag(link.tag(subject));
        // What HEAD denies, GET has to confirm, and mostly there is nothing: one GET is less than both.
        // Not at Docker Hub, whose HEAD can be relied on and whose GETs are counted.
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

    /// What names a manifest as its subject, as the registry lists it or as the tag does that stands
    /// in for such a list.
    ///
    /// # Errors
    /// As [`Client::referrers`].
    pub fn listed(
        &self,
        side: Side,
        repository: &Repository,
        subject: &Digest,
        log: &Log,
    ) -> Result<Vec<Referrer>, Error> {
        // Asked for each subject anew: some registries say 404 of one that they do not have.
        if let Some(list) = self.ask_for_list(side, repository, subject, log)? {
            return Ok(list);
        }
        let reference = Reference::Tag(Link::Referrers.tag(subject));
        match self.index_bytes(side, repository, &reference, log) {
            Ok(Some(bytes)) => {
                let query = Query::manifest(Method::GET, repository, &reference);
                read(&bytes, subject, &query)
            }
            // Something else has that tag.
            Ok(None) | Err(Error::Missing(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The registry's list, all pages; none where it has none or does not know the query.
    fn ask_for_list(
        &self,
        side: Side,
        repository: &Repository,
        subject: &Digest,
        log: &Log,
    ) -> Result<Option<Vec<Referrer>>, Error> {
        let mut found = Vec::new();
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
            // Of a store to which the registry redirects, it says nothing of the referrers.
            let from_store = !answer.from_registry && quirks::is_xml(&answer.response);
            let status = answer.response.status.as_u16();
            if page == 0 && matches!(status, 400 | 404 | 405 | 406) && !from_store {
                return Ok(None);
            }
            let invalid = |why: &str| Error::Invalid(query.diagnostic(why));
            let response = answer.judge(&query).map_err(|error| match error {
                // The list was there a page ago.
                Error::Missing(diagnostic) => Error::Invalid(diagnostic),
                error => error,
            })?;
            if !is_list(&response) {
                // Servers that do not know the query answer anything, but not with this type.
                if page == 0 && !is_index(&response.header("content-type").unwrap_or_default()) {
                    return Ok(None);
                }
                return Err(invalid("the answer is not a list of referrers"));
            }
            found.extend(read(&response.body, subject, &query)?);
            if found.len() > MAX_ENTRIES {
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
                        "the list of referrers did not end within {} s",
                        most.as_secs()
                    ))));
                }
                Some(Ok(next)) => {
                    path = next;
                    page += 1;
                }
                Some(Err(())) => {
                    return Err(invalid(
                        "the list of referrers goes on at a place that is not this registry's",
                    ));
                }
            }
        }
    }
}

fn is_index(name: &str) -> bool {
    MediaType::from_header(name) == Some(MediaType::OciIndex)
}

/// Whether an answer is a list of referrers.
fn is_list(response: &Response) -> bool {
    let is_index = is_index(&response.header("content-type").unwrap_or_default());
    is_referrers_list(&response.body, is_index)
}

fn read(bytes: &[u8], subject: &Digest, query: &Query<'_>) -> Result<Vec<Referrer>, Error> {
    referrers(bytes)
        .and_then(|list| list.into_iter().collect::<Result<Vec<_>, _>>())
        .map(|list| list.into_iter().map(|entry| entry.of(subject)).collect())
        .map_err(|error| Error::Invalid(query.diagnostic(error.to_string())))
}

/// What to ask for the next page (RFC 8288), below `/v2/`; an error where the link leads elsewhere or
/// cannot be read.
pub fn next_page(response: &Response) -> Option<Result<String, ()>> {
    response.header_lines("link").iter().find_map(|line| {
        // A target may have commas in it, so the line is not split at them.
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
    fn the_next_page_is_of_the_same_registry() {
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
    fn a_list_is_known_by_its_type() {
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
