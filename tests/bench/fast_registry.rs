//! A registry that does as little as possible per request, so that the client is what is measured.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::link::Link;
use crate::responses::{Response, Responses};
use crate::support::Content;

/// A registry on loopback; it runs until this program ends.
pub struct FastRegistry {
    port: u16,
    counters: Arc<Counters>,
}

/// How a registry responds.
#[derive(Clone, Default)]
pub struct Behaviour {
    /// Before each response, and before a TLS handshake.
    pub latency: Duration,
    /// Shared by all connections; `None`: as fast as loopback is.
    pub bytes_per_second: Option<u32>,
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Its own token server has a token per repository.
    pub requires_tokens: bool,
    /// Each request of so many takes 5 s; 0: none does.
    pub slow_every: usize,
}

#[derive(Default)]
struct Counters {
    gets: AtomicUsize,
    heads: AtomicUsize,
    connections: AtomicUsize,
}

/// Requests that registries received; `/v2/` is not counted.
#[derive(Clone, Copy, Default)]
pub struct Requests {
    pub gets: usize,
    pub heads: usize,
    /// Of the registry that has the most.
    pub connections: usize,
}

/// What all connections of a registry share.
struct Shared {
    port: u16,
    responses: Responses,
    link: Option<Link>,
    behaviour: Behaviour,
    counters: Arc<Counters>,
}

impl FastRegistry {
    pub fn start(content: &Content, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let counters = Arc::new(Counters::default());
        let shared = Arc::new(Shared {
            port,
            responses: Responses::of(content),
            link: behaviour.bytes_per_second.map(Link::new),
            behaviour,
            counters: counters.clone(),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || shared.connection(stream));
            }
        });
        Self { port, counters }
    }

    /// Two registries with the same content: a source and its mirror.
    pub fn pair(content: &Content, behaviour: &Behaviour) -> (Self, Self) {
        let start = || Self::start(content, behaviour.clone());
        (start(), start())
    }

    pub fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `localhost:PORT`, the same registry by another name: a mirror that is not its own source.
    pub fn alias(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The requests since the last call.
    pub fn take(&self) -> Requests {
        let take = |counter: &AtomicUsize| counter.swap(0, Ordering::SeqCst);
        Requests {
            gets: take(&self.counters.gets),
            heads: take(&self.counters.heads),
            connections: take(&self.counters.connections),
        }
    }
}

impl Requests {
    pub fn and(self, other: Self) -> Self {
        Self {
            gets: self.gets + other.gets,
            heads: self.heads + other.heads,
            connections: self.connections.max(other.connections),
        }
    }
}

impl Shared {
    fn connection(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        match &self.behaviour.tls {
            None => self.serve(stream),
            Some(config) => {
                thread::sleep(self.behaviour.latency);
                let connection = ServerConnection::new(config.clone()).expect("a connection");
                self.serve(StreamOwned::new(connection, stream));
            }
        }
    }

    fn serve(&self, mut stream: impl Read + Write) {
        let mut buffer = vec![0; 64 * 1024];
        let mut filled = 0;
        let mut is_counted = false;
        while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
            if !is_counted && buffer[0] == 0x16 {
                // The program tries TLS before plain HTTP.
                let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
                return;
            }
            filled += read;
            if !buffer[..filled].ends_with(b"\r\n\r\n") {
                continue;
            }
            if !is_counted {
                self.counters.connections.fetch_add(1, Ordering::SeqCst);
                is_counted = true;
            }
            let request = String::from_utf8_lossy(&buffer[..filled]);
            if self.respond(&mut stream, &request).is_err() {
                return;
            }
            filled = 0;
        }
    }

    fn respond(&self, stream: &mut impl Write, request: &str) -> std::io::Result<()> {
        let mut words = request.split(' ');
        let is_head = words.next() == Some("HEAD");
        let path = words.next().unwrap_or_default();
        if path != "/v2/" {
            self.count(is_head);
        }
        if !self.behaviour.latency.is_zero() {
            thread::sleep(self.behaviour.latency);
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let other = match path {
            "/v2/" => Response::probe(self.behaviour.requires_tokens.then_some(self.port)),
            _ if path.starts_with("/token") => Response::token(),
            _ => match self.responses.find(name, request.contains("bytes=0-0")) {
                Some(response) => return self.send(stream, response.bytes(is_head)),
                None => Response::not_found(),
            },
        };
        self.send(stream, other.bytes(is_head))
    }

    fn count(&self, is_head: bool) {
        let counters = &self.counters;
        let counter = if is_head {
            &counters.heads
        } else {
            &counters.gets
        };
        let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
        let slow_every = self.behaviour.slow_every;
        if slow_every > 0 && number.is_multiple_of(slow_every) {
            thread::sleep(Duration::from_secs(5));
        }
    }

    fn send(&self, stream: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
        match &self.link {
            Some(link) => link.send(stream, bytes),
            None => stream.write_all(bytes),
        }
    }
}
