//! One HTTP exchange: a request goes out, an answer is read to its end.
//!
//! Connections are kept for as many threads as there are. Redirects, retries and authorization
//! are other layers'.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::config::Config;
use ureq::http::{self, Method, StatusCode, header};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};

use super::failure::Failure;
use super::http::{Request, Response, without_secrets};
use super::resolver::CachingResolver;
use super::tls::{TlsConnector, Trust, TrustError, opened_by_this_thread};
use crate::interrupt::Interrupt;
use crate::report::Logger;

/// The most bytes that are read of an answer that is no success.
const ERROR_LIMIT: u64 = 64 * 1024;

/// The longest time for connecting.
const CONNECT: Duration = Duration::from_secs(10);

/// Sends requests.
pub struct Transport {
    agent: Mutex<Option<Agent>>,
    interrupt: Arc<Interrupt>,
}

impl Transport {
    /// With connections kept for `jobs` threads, and at most `timeout` without progress.
    ///
    /// # Errors
    /// [`TrustError`] where TLS cannot be set up.
    pub fn new(
        trust: &Trust,
        jobs: usize,
        timeout: Duration,
        interrupt: Arc<Interrupt>,
    ) -> Result<Self, TrustError> {
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("image-tools/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections(8 * jobs)
            .max_idle_connections_per_host(jobs)
            .input_buffer_size(16 * 1024)
            .output_buffer_size(16 * 1024)
            .timeout_resolve(Some(timeout))
            .timeout_connect(Some(timeout.min(CONNECT)))
            .timeout_send_request(Some(timeout))
            .timeout_send_body(Some(timeout))
            .timeout_recv_response(Some(timeout))
            .timeout_per_read(Some(timeout))
            // A server that sends a byte now and then makes progress, but not for ever.
            .timeout_recv_body(Some(4 * timeout))
            .build();
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(TlsConnector::new(trust.config()?));
        let agent = Agent::with_parts(config, connector, CachingResolver::default());
        Ok(Self {
            agent: Mutex::new(Some(agent)),
            interrupt,
        })
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// [`Failure`] where no complete answer came; any status is an answer.
    pub fn exchange(&self, request: &Request, log: &Logger) -> Result<Response, Failure> {
        let agent = self
            .agent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(Failure::Interrupted)?;
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
        let agent = self
            .agent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(agent) = agent {
            agent.shutdown();
        }
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
