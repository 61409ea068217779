//! One HTTP exchange: a request goes out, an answer is read to its end.
//!
//! Redirects, retries and authorization are other layers'.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Instant;

use ureq::Agent;
use ureq::http::{self, Method, StatusCode, header};

use super::agents::Agents;
use super::failure::Failure;
use super::http::{Request, Response, Want, without_secrets};
use super::tls::opened_by_this_thread;
use crate::log::Log;
use crate::manifest::{Algorithm, Digest, Hasher};
use crate::sync::Interrupt;

/// The most bytes that are read of a body that does not matter, so that its connection is kept.
const ERROR_LIMIT: u64 = 64 * 1024;

/// How much of a blob is in memory at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// Sends requests.
pub struct Transport {
    agents: Agents,
    interrupt: Arc<Interrupt>,
}

impl Transport {
    /// Over connections of these agents.
    pub fn new(agents: Agents, interrupt: Arc<Interrupt>) -> Self {
        Self { agents, interrupt }
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// [`Failure`] where no complete answer came; any status is an answer.
    pub fn exchange(&self, request: &Request, log: &Log) -> Result<Response, Failure> {
        let agent = self.agents.find(&request.url)?;
        log.count_request();
        let begun = Instant::now();
        let opened = opened_by_this_thread();
        let result = self.send(&agent, request, log);
        let kept = opened == opened_by_this_thread();
        let result = result.map_err(|error| {
            if self.interrupt.is_set() {
                Failure::Interrupted
            } else {
                Failure::new(&error, kept)
            }
        });
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

    /// Ends all exchanges, and refuses new ones.
    pub fn shutdown(&self) {
        self.agents.shutdown();
    }

    fn send(&self, agent: &Agent, request: &Request, log: &Log) -> Result<Response, ureq::Error> {
        let mut builder = http::Request::builder()
            .method(&request.method)
            .uri(request.url.as_str());
        // One line each: old registries compare a whole line with one type.
        for media_type in request.accept {
            builder = builder.header(header::ACCEPT, *media_type);
        }
        // Digests are of the bytes as stored; servers that compress all the same are understood.
        builder = builder.header(header::ACCEPT_ENCODING, "identity");
        if request.want == Want::FirstByte {
            builder = builder.header(header::RANGE, "bytes=0-0");
        }
        if let Some(authorization) = &request.authorization {
            builder = builder.header(header::AUTHORIZATION, authorization.expose());
        }
        let mut answer = match (&request.form, request.want) {
            (Some(form), _) => {
                let builder =
                    builder.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                agent.run(builder.body(form.expose())?)?
            }
            (None, Want::Hash(_, limit)) => {
                let time = self.agents.time_for(limit);
                let request = agent.configure_request(builder.body(())?);
                agent.run(request.timeout_recv_body(time).build())?
            }
            (None, _) => agent.run(builder.body(())?)?,
        };
        let status = answer.status();
        let mut hashed = None;
        let mut body = Vec::new();
        match request.want {
            _ if request.method == Method::HEAD => {}
            Want::Body(limit) if status == StatusCode::OK => {
                body = answer.body_mut().with_config().limit(limit).read_to_vec()?;
            }
            Want::Hash(algorithm, limit) if status == StatusCode::OK => {
                hashed = Some(self.hash(answer.body_mut(), algorithm, limit, log)?);
            }
            // The server ignores ranges: the length is in the header. A short body is read all the
            // same, because that costs less than another connection.
            Want::FirstByte if status == StatusCode::OK => {
                let told = answer.body().content_length();
                if told.is_some_and(|length| length <= ERROR_LIMIT) {
                    let _ = answer.body_mut().read_to_vec();
                }
            }
            // Only words for a message: a body that is cut off or too long does not matter.
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
            url: request.url.clone(),
        })
    }

    /// Reads a body piece by piece, in constant memory.
    fn hash(
        &self,
        body: &mut ureq::Body,
        algorithm: Algorithm,
        limit: u64,
        log: &Log,
    ) -> Result<(Digest, u64), ureq::Error> {
        let mut reader = body.with_config().limit(u64::MAX).reader();
        let mut hasher = Hasher::new(algorithm);
        let mut length = 0;
        let mut piece = vec![0; PIECE];
        while length <= limit {
            if self.interrupt.is_set() {
                return Err(io::Error::from(io::ErrorKind::NotConnected).into());
            }
            let read = reader.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hasher.update(&piece[..read]);
            length += read as u64;
            log.count_bytes(read as u64);
        }
        Ok((hasher.finish(), length))
    }
}
