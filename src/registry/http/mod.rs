//! The exchange over the network: everything that uses ureq's connectors and resolver, which are not
//! covered by its stability promise (`ureq::unversioned`).
//!
//! From the outside in: [`HttpExchange`] (one exchange) → [`agents`] (connections, by TLS settings
//! and proxy) → [`resolver`], [`forward`] (proxies for plain HTTP), [`tls`].

mod agents;
mod blob;
mod deadline;
mod failure;
mod forward;
mod resolver;
mod tls;

use std::cell::Cell;
use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use ureq::Agent;
use ureq::http::{self, Method, StatusCode, header};

pub use agents::Agents;

use super::exchange::{BodyMode, Exchange, Request, Response, UNKNOWN_SIZE_LIMIT};
use super::failure::Failure;
use super::redirect::without_secrets;
use super::unpack::unpack;
use crate::log::Log;
use crate::manifest::{Algorithm, Hasher};
use crate::sync::Interrupt;
use blob::BlobReader;

/// The maximum number of bytes read from an error body, so that the connection can be reused.
const ERROR_LIMIT: u64 = 64 * 1024;

/// The read size in bytes.
const CHUNK: usize = 16 * 1024;

thread_local! {
    static OPENED: Cell<u64> = const { Cell::new(0) };
}

/// Counts connections opened by this thread.
fn count_opened() {
    OPENED.set(OPENED.get() + 1);
}

/// Sends requests over the network.
pub struct HttpExchange {
    agents: Agents,
    interrupt: Arc<Interrupt>,
}

impl HttpExchange {
    /// Over connections of these agents.
    pub fn new(agents: Agents, interrupt: Arc<Interrupt>) -> Self {
        Self { agents, interrupt }
    }

    fn run(&self, agent: &Agent, request: &Request, log: &Log) -> Result<Response, ureq::Error> {
        let mut builder = http::Request::builder()
            .method(&request.method)
            .uri(request.url.as_str());
        // One line each: old registries compare the whole line with a type.
        for media_type in request.accept {
            builder = builder.header(header::ACCEPT, *media_type);
        }
        // Digests refer to the stored bytes; servers that compress anyway are supported.
        builder = builder.header(header::ACCEPT_ENCODING, "identity");
        if request.body == BodyMode::FirstByte {
            builder = builder.header(header::RANGE, "bytes=0-0");
        }
        if let Some(authorization) = &request.authorization {
            builder = builder.header(header::AUTHORIZATION, authorization.expose());
        }
        let mut answer = match (&request.form, request.body) {
            (Some(form), _) => {
                let builder =
                    builder.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                agent.run(builder.body(form.expose())?)?
            }
            (None, BodyMode::Unpack(_, limit, _)) => {
                let time = self.agents.time_for(Some(limit));
                let request = agent.configure_request(builder.body(())?);
                agent.run(request.timeout_recv_body(Some(time)).build())?
            }
            (None, BodyMode::Hash(_, limit)) => {
                let time = self.agents.time_for(limit);
                let request = agent.configure_request(builder.body(())?);
                agent.run(request.timeout_recv_body(Some(time)).build())?
            }
            (None, _) => {
                let time = request.time;
                let request = agent.configure_request(builder.body(())?);
                match time {
                    Some(time) => agent.run(request.timeout_recv_response(Some(time)).build())?,
                    None => agent.run(request.build())?,
                }
            }
        };
        let status = answer.status();
        let (mut hashed, mut unpacked) = (None, None);
        let mut body = Vec::new();
        match request.body {
            _ if request.method == Method::HEAD => {}
            BodyMode::Keep(limit) if status == StatusCode::OK => {
                body = kept(answer.body_mut(), limit)?;
            }
            BodyMode::Hash(algorithm, limit) if status == StatusCode::OK => {
                let most = limit.unwrap_or(UNKNOWN_SIZE_LIMIT);
                let found = self
                    .blob(answer.body_mut(), algorithm, most, log)
                    .finish()?;
                if limit.is_none() && found.1 > most {
                    return Err(ureq::Error::BodyExceedsLimit(most));
                }
                hashed = Some(found);
            }
            BodyMode::Unpack(algorithm, limit, of_content) if status == StatusCode::OK => {
                let mut blob = self.blob(answer.body_mut(), algorithm, limit, log);
                unpacked = Some(unpack(&mut blob, of_content));
                hashed = Some(blob.finish()?);
            }
            // The server ignores ranges: the length is in the header. A short body is read anyway,
            // because that is cheaper than a new connection.
            BodyMode::FirstByte if status == StatusCode::OK => {
                let length = answer.body().content_length();
                if length.is_some_and(|length| length <= ERROR_LIMIT) {
                    let _ = answer.body_mut().read_to_vec();
                }
            }
            // Only for a message: a truncated body does not matter.
            _ => {
                body = answer
                    .body_mut()
                    .with_config()
                    .limit(ERROR_LIMIT)
                    .read_to_vec()
                    .unwrap_or_default();
            }
        }
        let (parts, _) = answer.into_parts();
        Ok(Response {
            status,
            headers: parts.headers,
            body,
            hashed,
            unpacked,
            secrets: Vec::new(),
            url: request.url.clone(),
        })
    }

    fn blob<'a>(
        &'a self,
        body: &'a mut ureq::Body,
        algorithm: Algorithm,
        limit: u64,
        log: &'a Log,
    ) -> BlobReader<'a, impl Read> {
        BlobReader {
            body: body.with_config().limit(u64::MAX).reader(),
            hasher: Hasher::new(algorithm),
            length: 0,
            limit,
            broke: None,
            interrupt: &self.interrupt,
            log,
        }
    }
}

/// Reads a body into a vector of hardly more than its size: a vector that grows by itself may need twice
/// as much, on every thread.
fn kept(body: &mut ureq::Body, limit: u64) -> Result<Vec<u8>, ureq::Error> {
    let mut reader = body.with_config().limit(limit).reader();
    let (mut kept, mut chunk) = (Vec::new(), [0; CHUNK]);
    loop {
        let bytes = match reader.read(&mut chunk)? {
            0 => return Ok(kept),
            length => &chunk[..length],
        };
        if kept.capacity() - kept.len() < bytes.len() {
            kept.reserve_exact(bytes.len().max(kept.len() / 4));
        }
        kept.extend_from_slice(bytes);
    }
}

impl Exchange for HttpExchange {
    fn send(&self, request: &Request, log: &Log) -> Result<Response, Failure> {
        let named_by = request.named_by.as_ref();
        let agent = self.agents.find(&request.url, named_by)?;
        log.count_request();
        let begun = Instant::now();
        // The difference tells whether the request opened a new connection.
        let opened = OPENED.get();
        let _guard = named_by.and_then(|named_by| self.agents.guard(&request.url, named_by));
        let result = self.run(&agent, request, log);
        let kept = opened == OPENED.get();
        let result = result.map_err(|error| {
            if self.interrupt.is_set() {
                Failure::Interrupted
            } else {
                failure::failure(&error, kept)
            }
        });
        let result = match self.agents.proxy(&request.url) {
            Some(proxy) => failure::through_proxy(result, &proxy),
            None => result,
        };
        if let Err(Failure::Refused(_) | Failure::ConnectTimeout) = &result {
            self.agents.forget_addresses(&request.url);
        }
        log.debug(|| {
            let outcome = match &result {
                Ok(response) => {
                    let length = response.body.len() as u64;
                    let length = response
                        .hashed
                        .as_ref()
                        .map_or(length, |(_, length)| *length);
                    format!("{}, {length} bytes", response.status_text())
                }
                Err(failure) => failure.text(),
            };
            format!(
                "{} {}: {outcome}, {} ms, {} connection",
                request.method,
                without_secrets(&request.url),
                begun.elapsed().as_millis(),
                if kept { "kept" } else { "new" },
            )
        });
        result
    }

    fn shutdown(&self) {
        self.agents.shutdown();
    }
}
