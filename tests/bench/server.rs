//! A registry that does as little as possible, so that the client is what is measured: answers are
//! made before the run, whatever the repository's name, and counted.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::content::{Content, digest};

/// A running server; it runs until the program ends.
pub struct FastServer {
    port: u16,
    counts: Arc<Counts>,
}

/// The answers, by tag or digest.
struct Answers {
    /// Head and body, and the length of the head.
    whole: HashMap<String, (Vec<u8>, usize)>,
    /// Of blobs: the answer to a request for the first byte.
    firsts: HashMap<String, Vec<u8>>,
}

/// How a server answers.
#[derive(Clone, Copy, Default)]
pub struct Shape {
    /// Before each answer.
    pub delay: Duration,
    /// The probe asks for tokens of the server's own token server.
    pub wants_tokens: bool,
    /// Each request of so many takes 5 s; 0: none does.
    pub slow_every: usize,
}

/// What the server was asked.
#[derive(Default)]
pub struct Counts {
    pub gets: AtomicUsize,
    pub heads: AtomicUsize,
    pub connections: AtomicUsize,
}

impl FastServer {
    /// Answers each request after this delay.
    pub fn start(content: &Content, delay: Duration) -> Self {
        let shape = Shape {
            delay,
            ..Shape::default()
        };
        Self::with(content, shape)
    }

    /// Answers in this way.
    pub fn with(content: &Content, shape: Shape) -> Self {
        let mut answers: HashMap<String, (Vec<u8>, usize)> = HashMap::new();
        for (_, reference, stored) in &content.manifests {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ndocker-content-digest: {}\r\ncontent-length: {}\r\n\r\n",
                stored.media_type,
                digest(&stored.bytes),
                stored.bytes.len()
            );
            let length = head.len();
            answers.insert(
                reference.clone(),
                ([head.as_bytes(), &stored.bytes].concat(), length),
            );
        }
        let mut firsts = HashMap::new();
        for ((_, name), bytes) in &content.blobs {
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-0/{}\r\ncontent-length: 1\r\n\r\n",
                bytes.len()
            );
            firsts.insert(name.clone(), [head.as_bytes(), &bytes[..1]].concat());
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
            answers.insert(
                name.clone(),
                ([head.as_bytes(), bytes].concat(), head.len()),
            );
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let answers = Arc::new(Answers {
            whole: answers,
            firsts,
        });
        let counts = Arc::new(Counts::default());
        let shared = counts.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, counts) = (answers.clone(), shared.clone());
                std::thread::spawn(move || serve(stream, &answers, &counts, shape));
            }
        });
        Self { port, counts }
    }

    pub fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `localhost:PORT`, the same server by another name: a mirror that is not its own source.
    pub fn alias(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// GETs, HEADs and connections since the last time.
    pub fn take(&self) -> (usize, usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);
        (
            take(&self.counts.gets),
            take(&self.counts.heads),
            take(&self.counts.connections),
        )
    }
}

fn serve(mut stream: TcpStream, answers: &Answers, counts: &Counts, shape: Shape) {
    let port = stream.local_addr().map_or(0, |address| address.port());
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; 64 * 1024];
    let mut filled = 0;
    let mut is_counted = false;
    loop {
        let Ok(read) = stream.read(&mut buffer[filled..]) else {
            return;
        };
        if read == 0 {
            return;
        }
        if !is_counted && buffer[0] == 0x16 {
            // TLS is tried first on loopback; this port has none.
            let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
            return;
        }
        filled += read;
        if !buffer[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        if !is_counted {
            counts.connections.fetch_add(1, Ordering::SeqCst);
            is_counted = true;
        }
        let text = String::from_utf8_lossy(&buffer[..filled]);
        let mut words = text.split(' ');
        let (method, path) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let is_head = method == "HEAD";
        if path != "/v2/" {
            let count = if is_head { &counts.heads } else { &counts.gets };
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            if shape.slow_every > 0 && number.is_multiple_of(shape.slow_every) {
                std::thread::sleep(Duration::from_secs(5));
            }
        }
        if !shape.delay.is_zero() {
            std::thread::sleep(shape.delay);
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let first = answers
            .firsts
            .get(name)
            .filter(|_| text.contains("bytes=0-0"));
        let sent = match answers.whole.get(name) {
            Some(_) if first.is_some() => {
                stream.write_all(first.map(Vec::as_slice).unwrap_or_default())
            }
            _ if path.starts_with("/token") => {
                let body = r#"{"token":"t","expires_in":300}"#;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes())
            }
            _ if path == "/v2/" && shape.wants_tokens => {
                let challenge =
                    format!("Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"x\"");
                let head = format!(
                    "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: {challenge}\r\ncontent-length: 0\r\n\r\n"
                );
                stream.write_all(head.as_bytes())
            }
            _ if path == "/v2/" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            }
            Some((answer, head)) => {
                stream.write_all(if is_head { &answer[..*head] } else { answer })
            }
            None => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
        };
        if sent.is_err() {
            return;
        }
        filled = 0;
    }
}
