//! One HTTP exchange: a request goes out, an answer is read to its end.
//!
//! Redirects, retries and authorization are other layers'.

use std::sync::Arc;
use std::time::Instant;

use ureq::Agent;
use ureq::http::{self, Method, StatusCode, header};

use super::agents::Agents;
use super::failure::Failure;
use super::http::{Request, Response, without_secrets};
use super::tls::opened_by_this_thread;
use crate::interrupt::Interrupt;
use crate::report::Logger;

/// The most bytes that are read of an answer that is no success.
const ERROR_LIMIT: u64 = 64 * 1024;

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
    pub fn exchange(&self, request: &Request, log: &Logger) -> Result<Response, Failure> {
        let agent = self.agents.find(&request.url)?;
        let begun = Instant::now();
        let opened = opened_by_this_thread();
        let result = send(&agent, request);
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
                    format!("{}, {} bytes", response.status_text(), response.body.len())
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
}

fn send(agent: &Agent, request: &Request) -> Result<Response, ureq::Error> {
    let mut builder = http::Request::builder()
        .method(&request.method)
        .uri(request.url.as_str());
    // One line each: old registries compare a whole line with one type.
    for media_type in request.accept {
        builder = builder.header(header::ACCEPT, *media_type);
    }
    // Digests are of the bytes as stored; servers that compress all the same are understood.
    builder = builder.header(header::ACCEPT_ENCODING, "identity");
    if let Some(authorization) = &request.authorization {
        builder = builder.header(header::AUTHORIZATION, authorization.expose());
    }
    let mut answer = match &request.form {
        Some(form) => {
            let builder = builder.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            agent.run(builder.body(form.expose())?)?
        }
        None => agent.run(builder.body(())?)?,
    };
    let status = answer.status();
    let body = if request.method == Method::HEAD {
        Vec::new()
    } else if status == StatusCode::OK {
        answer
            .body_mut()
            .with_config()
            .limit(request.limit)
            .read_to_vec()?
    } else {
        // Only words for a message: a body that is cut off or too long does not matter.
        answer
            .body_mut()
            .with_config()
            .limit(ERROR_LIMIT)
            .read_to_vec()
            .unwrap_or_default()
    };
    let (parts, _) = answer.into_parts();
    Ok(Response {
        status,
        headers: parts.headers,
        body,
        url: request.url.clone(),
    })
}
