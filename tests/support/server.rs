//! The scripted server: sends the responses of a test, also faulty ones.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

use super::content::Content;

/// A request that the server received.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    /// In the order of their arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Number of the connection, in the order of acceptance.
    pub connection: usize,
}

impl Request {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// How a response is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// With a Content-Length.
    Whole,
    /// In chunks.
    Chunked,
    /// Closes the connection after this many bytes of the body.
    Cut(usize),
    /// Without a length; closes the connection after this many bytes.
    UntilClose(usize),
    /// Closes the connection without a response.
    Close,
    /// Resets the connection without a response.
    Reset,
    /// No response until the server ends.
    Stall,
    /// Byte by byte, with this pause between bytes.
    Drip(Duration),
    /// Bytes that are not HTTP.
    Junk(Vec<u8>),
    /// With a body, even for HEAD.
    BodyOnHead,
    /// A correct response, followed by these unsolicited bytes.
    Followed(Vec<u8>),
    /// As `Followed`, but the first bytes of the response alone, then the rest with the additional bytes.
    FollowedLate(usize, Vec<u8>),
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub how: How,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            how: How::Whole,
        }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn how(mut self, how: How) -> Self {
        self.how = how;
        self
    }

    /// An error in the form of the OCI distribution-spec.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status)
            .header("content-type", "application/json")
            .body(serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string())
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// A running server; ended on drop.
pub struct Server {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    handler: Box<Handler>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    streams: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
    swallows_tls: AtomicBool,
    end: (Mutex<bool>, Condvar),
}

impl Server {
    /// Starts a server over plain HTTP.
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(0, None, Box::new(handler))
    }

    /// A registry with this content, on this port.
    pub fn at(port: u16, content: Content) -> Self {
        Self::listen(
            port,
            None,
            Box::new(move |request| answer(&content, request)),
        )
    }

    /// Starts a server over TLS.
    pub fn start_tls(
        config: Arc<ServerConfig>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(0, Some(config), Box::new(handler))
    }

    /// A registry with this content.
    pub fn of(content: Content) -> Self {
        Self::start(move |request| answer(&content, request))
    }

    /// A registry with this content that never responds to requests with this text in their path.
    pub fn stalling(content: Content, part: &'static str) -> Self {
        Self::start(move |request| {
            let reply = answer(&content, request);
            if request.path.contains(part) {
                return reply.how(How::Stall);
            }
            reply
        })
    }

    /// Waits for the rest of a TLS hello on plain connections from now on, as servers that read lines do.
    pub fn swallowing_tls(self) -> Self {
        self.shared.swallows_tls.store(true, Ordering::SeqCst);
        self
    }

    fn listen(port: u16, tls: Option<Arc<ServerConfig>>, handler: Box<Handler>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared {
            handler,
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            streams: Mutex::default(),
            ended: AtomicBool::new(false),
            swallows_tls: AtomicBool::new(false),
            end: (Mutex::new(false), Condvar::new()),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (serving, tls) = (serving.clone(), tls.clone());
                std::thread::spawn(move || {
                    let _ = serving.serve(stream, tls);
                });
            }
        });
        Self { port, shared }
    }

    /// `127.0.0.1:PORT`.
    pub fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `localhost:PORT`, the same server by another name: a mirror that is not its own source.
    pub fn alias(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().expect("requests").clone()
    }

    /// Number of requests with this method, and with this text in their path.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.method == method && request.path.contains(path))
            .count()
    }

    /// Number of connections with a request.
    pub fn connections(&self) -> usize {
        let mut numbers: Vec<usize> = self
            .requests()
            .iter()
            .map(|request| request.connection)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        *self.shared.end.0.lock().expect("the end") = true;
        self.shared.end.1.notify_all();
        for stream in self.shared.streams.lock().expect("streams").iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Shared {
    fn serve(&self, tcp: TcpStream, tls: Option<Arc<ServerConfig>>) -> std::io::Result<()> {
        let connection = self.connections.fetch_add(1, Ordering::SeqCst);
        self.streams.lock().expect("streams").push(tcp.try_clone()?);
        tcp.set_nodelay(true)?;
        let socket = tcp.try_clone()?;
        let mut first = [0];
        tcp.peek(&mut first)?;
        let stream: Box<dyn Stream> = match tls {
            // A TLS hello on a plain port: as Go's server, send an error and close.
            None if first == [0x16] && self.swallows_tls.load(Ordering::SeqCst) => {
                let mut rest = Vec::new();
                (&tcp).read_to_end(&mut rest)?;
                return Ok(());
            }
            None if first == [0x16] => {
                let _ = (&tcp).write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
                return socket.shutdown(Shutdown::Both);
            }
            None => Box::new(tcp),
            Some(config) => {
                let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
                Box::new(StreamOwned::new(connection, tcp))
            }
        };
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream, connection)? {
            self.requests
                .lock()
                .expect("requests")
                .push(request.clone());
            let reply = (self.handler)(&request);
            if !self.send(stream.get_mut(), &socket, &request, &reply)? {
                break;
            }
        }
        let _ = stream.get_mut().flush();
        socket.shutdown(Shutdown::Both)
    }

    /// Sends a reply; false: the connection has ended.
    fn send(
        &self,
        out: &mut dyn Write,
        socket: &TcpStream,
        request: &Request,
        reply: &Reply,
    ) -> std::io::Result<bool> {
        let mut head = format!("HTTP/1.1 {} X\r\n", reply.status);
        for (name, value) in &reply.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let has = |name: &str| {
            reply
                .headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        match reply.how {
            How::Chunked => head += "transfer-encoding: chunked\r\n",
            How::UntilClose(_) => head += "connection: close\r\n",
            _ if reply.status == 304 || reply.status == 204 || has("content-length") => {}
            _ => head += &format!("content-length: {}\r\n", reply.body.len()),
        }
        head += "\r\n";
        let is_head = request.method == "HEAD";
        match &reply.how {
            How::Close => return Ok(false),
            How::Reset => {
                SockRef::from(socket).set_linger(Some(Duration::ZERO))?;
                return Ok(false);
            }
            How::Stall => {
                let mut ended = self.end.0.lock().expect("the end");
                while !*ended {
                    ended = self.end.1.wait(ended).expect("the end");
                }
                return Ok(false);
            }
            How::Junk(bytes) => {
                out.write_all(bytes)?;
                return Ok(false);
            }
            How::Whole | How::BodyOnHead => {
                let mut all = head.into_bytes();
                if !is_head || reply.how == How::BodyOnHead {
                    all.extend_from_slice(&reply.body);
                }
                out.write_all(&all)?;
            }
            How::Followed(surplus) => {
                // Two TLS records that arrive together.
                SockRef::from(socket).set_tcp_cork(true)?;
                let mut all = head.into_bytes();
                all.extend_from_slice(&reply.body);
                out.write_all(&all)?;
                out.flush()?;
                out.write_all(surplus)?;
                out.flush()?;
                SockRef::from(socket).set_tcp_cork(false)?;
            }
            How::FollowedLate(first, surplus) => {
                let mut all = head.into_bytes();
                all.extend_from_slice(&reply.body);
                all.extend_from_slice(surplus);
                let (first, rest) = all.split_at(*first);
                out.write_all(first)?;
                out.flush()?;
                std::thread::sleep(Duration::from_millis(300));
                out.write_all(rest)?;
            }
            How::Chunked => {
                out.write_all(head.as_bytes())?;
                if !is_head {
                    for chunk in reply.body.chunks(1000) {
                        write!(out, "{:x}\r\n", chunk.len())?;
                        out.write_all(chunk)?;
                        out.write_all(b"\r\n")?;
                    }
                    out.write_all(b"0\r\n\r\n")?;
                }
            }
            How::Cut(length) | How::UntilClose(length) => {
                out.write_all(head.as_bytes())?;
                if !is_head {
                    out.write_all(&reply.body[..*length.min(&reply.body.len())])?;
                }
                return Ok(false);
            }
            How::Drip(pause) => {
                out.write_all(head.as_bytes())?;
                for byte in &reply.body {
                    if self.ended.load(Ordering::SeqCst) {
                        return Ok(false);
                    }
                    out.write_all(&[*byte])?;
                    out.flush()?;
                    std::thread::sleep(*pause);
                }
            }
        }
        out.flush()?;
        Ok(true)
    }
}

fn read_request(
    stream: &mut BufReader<Box<dyn Stream>>,
    connection: usize,
) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: String::new(),
        connection,
    };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        request
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = request
        .header("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(request))
}

/// The response of a correct registry with this content.
pub fn answer(content: &Content, request: &Request) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    if path == "/v2/" {
        return Reply::new(200)
            .header("docker-distribution-api-version", "registry/2.0")
            .body("{}");
    }
    if let Some((repository, reference)) = path
        .strip_prefix("/v2/")
        .and_then(|rest| rest.split_once("/manifests/"))
    {
        return match content.find(repository, reference) {
            Some(stored) => Reply::new(200)
                .header("content-type", stored.media_type.clone())
                .header(
                    "docker-content-digest",
                    super::content::digest(&stored.bytes),
                )
                .body(stored.bytes.clone()),
            None => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        };
    }
    if let Some((repository, digest)) = path
        .strip_prefix("/v2/")
        .and_then(|rest| rest.split_once("/blobs/"))
    {
        return match content
            .blobs
            .get(&(repository.to_owned(), digest.to_owned()))
        {
            Some(bytes) => part(bytes, request.header("range")),
            None => Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
        };
    }
    if let Some((repository, subject)) = path
        .strip_prefix("/v2/")
        .and_then(|rest| rest.split_once("/referrers/"))
        && content.lists_referrers
    {
        let list = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": super::content::INDEX,
            "manifests": content.referrers(repository, subject),
        });
        return Reply::new(200)
            .header("content-type", super::content::INDEX)
            .body(list.to_string());
    }
    Reply::new(404).body("404 page not found")
}

/// A blob, or its first byte (RFC 9110, 14.2).
fn part(bytes: &[u8], range: Option<&str>) -> Reply {
    let reply = match (range, bytes) {
        (Some("bytes=0-0"), []) => Reply::new(416).header("content-range", "bytes */0"),
        (Some("bytes=0-0"), _) => Reply::new(206)
            .header("content-range", format!("bytes 0-0/{}", bytes.len()))
            .body(&bytes[..1]),
        _ => Reply::new(200).body(bytes),
    };
    reply.header("content-type", "application/octet-stream")
}
