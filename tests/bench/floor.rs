//! The floor: the same requests in a bare loop, over kept connections, on the same number of threads.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

const ACCEPT: &str = "Accept: application/vnd.oci.image.index.v1+json\r\n\
                      Accept: application/vnd.docker.distribution.manifest.list.v2+json\r\n\
                      Accept: application/vnd.oci.image.manifest.v1+json\r\n\
                      Accept: application/vnd.docker.distribution.manifest.v2+json\r\n";

/// A GET.
#[derive(Clone)]
pub struct Get {
    /// `HOST:PORT`.
    pub registry: String,
    pub path: String,
}

/// A bare loop.
pub struct Floor {
    pub threads: usize,
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ClientConfig>>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

type Connection = BufReader<Box<dyn Stream>>;

impl Floor {
    pub fn plain(threads: usize) -> Self {
        Self { threads, tls: None }
    }

    /// Begins the images in their order, one per thread, and sends the requests of each in theirs; returns
    /// the time.
    pub fn replay(&self, images: &[Vec<Get>]) -> Duration {
        let next = AtomicUsize::new(0);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    let mut connections: HashMap<String, Connection> = HashMap::new();
                    while let Some(requests) = images.get(next.fetch_add(1, Ordering::SeqCst)) {
                        for request in requests {
                            let connection = connections
                                .entry(request.registry.clone())
                                .or_insert_with(|| self.connect(&request.registry));
                            get(connection, request);
                        }
                    }
                });
            }
        });
        begun.elapsed()
    }

    fn connect(&self, registry: &str) -> Connection {
        let stream = TcpStream::connect(registry).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        BufReader::new(match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let (host, _) = registry.split_once(':').expect("a port");
                let name = ServerName::try_from(host.to_owned()).expect("a name");
                let connection = ClientConnection::new(config.clone(), name).expect("a client");
                Box::new(StreamOwned::new(connection, stream))
            }
        })
    }
}

fn get(connection: &mut Connection, Get { registry, path }: &Get) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {registry}\r\n{ACCEPT}\r\n");
    let stream = connection.get_mut();
    stream.write_all(request.as_bytes()).expect("a request");
    stream.flush().expect("a request");
    let mut length = 0;
    let mut line = String::new();
    connection.read_line(&mut line).expect("a response");
    assert!(line.contains(" 200 "), "{path}: {line}");
    loop {
        line.clear();
        connection.read_line(&mut line).expect("a header");
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).expect("a body");
}
