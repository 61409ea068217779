//! A small internet: hosts with names and certificates, behind an HTTP proxy. With it, the real binary
//! connects to a scripted `registry-1.docker.io`, or any other host.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::dir::{Dir, Run, TestCommand};
use super::server::{Reply, Request, Server};
use super::tls::Authority;

/// Hosts by name, and their proxy.
pub struct Internet {
    dir: Dir,
    authority: Authority,
    servers: HashMap<String, Server>,
    ports: Arc<Mutex<HashMap<String, u16>>>,
    proxy: u16,
}

impl Internet {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let proxy = listener.local_addr().expect("its address").port();
        let ports: Arc<Mutex<HashMap<String, u16>>> = Arc::default();
        let known = ports.clone();
        // Ends with the test program.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let known = known.clone();
                std::thread::spawn(move || tunnel(stream, &known));
            }
        });
        let (dir, authority) = (Dir::new(), Authority::new());
        dir.write("ca.pem", &authority.pem);
        Self {
            dir,
            authority,
            servers: HashMap::new(),
            ports,
            proxy,
        }
    }

    /// Adds a host with a certificate for its name.
    pub fn host(
        mut self,
        name: &str,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let server = Server::start_tls(self.authority.issue(&[name]).server(), handler);
        self.ports
            .lock()
            .expect("ports")
            .insert(format!("{name}:443"), server.port());
        self.servers.insert(name.to_owned(), server);
        self
    }

    /// The requests that a host received.
    pub fn requests(&self, host: &str) -> Vec<Request> {
        self.servers[host].requests()
    }

    /// `image-tools mirror-validate` in this internet.
    pub fn validate(&self) -> TestCommand {
        let command = self
            .dir
            .validate()
            .args("--ca-file ca.pem --timeout 5s --retries 1");
        command.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", self.proxy))
    }

    /// Validates these lines, with the debug log.
    pub fn run(&self, lines: &str) -> Run {
        self.validate().arg("-debug").stdin(lines).run()
    }

    /// The directory in which the program runs, which is its HOME.
    pub fn dir(&self) -> &Dir {
        &self.dir
    }
}

/// Handles one CONNECT.
fn tunnel(mut client: TcpStream, ports: &Mutex<HashMap<String, u16>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    let port = ports.lock().expect("ports").get(&target).copied();
    let Some(server) = port.and_then(|port| TcpStream::connect(("127.0.0.1", port)).ok()) else {
        let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
        return;
    };
    let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
    let (mut from_client, mut to_server) = (
        client.try_clone().expect("a socket"),
        server.try_clone().expect("a socket"),
    );
    let upstream = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let (mut from_server, mut to_client) = (server, client);
    let _ = std::io::copy(&mut from_server, &mut to_client);
    let _ = to_client.shutdown(Shutdown::Both);
    let _ = upstream.join();
}
