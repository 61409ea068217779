//! The floor: the same requests, sent by a loop that does nothing else, over kept connections, on
//! the same number of threads.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// One request: the registry, the method and the path.
pub type Asked = (String, &'static str, String);

/// Sends the requests of each image in their order, the images in any; returns the time it took.
pub fn replay(images: &[Vec<Asked>], threads: usize) -> Duration {
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut connections: HashMap<String, BufReader<TcpStream>> = HashMap::new();
                while let Some(requests) = images.get(next.fetch_add(1, Ordering::SeqCst)) {
                    for (host, method, path) in requests {
                        let connection = connections.entry(host.clone()).or_insert_with(|| {
                            let stream = TcpStream::connect(host).expect("a connection");
                            stream.set_nodelay(true).expect("a socket");
                            BufReader::new(stream)
                        });
                        ask(connection, host, method, path);
                    }
                }
            });
        }
    });
    begun.elapsed()
}

fn ask(connection: &mut BufReader<TcpStream>, host: &str, method: &str, path: &str) {
    let accept = "Accept: application/vnd.oci.image.index.v1+json\r\nAccept: application/vnd.docker.distribution.manifest.list.v2+json\r\n\
                  Accept: application/vnd.oci.image.manifest.v1+json\r\nAccept: application/vnd.docker.distribution.manifest.v2+json\r\n";
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{accept}\r\n");
    connection
        .get_mut()
        .write_all(request.as_bytes())
        .expect("a request");
    let mut length = 0;
    let mut line = String::new();
    connection.read_line(&mut line).expect("an answer");
    assert!(line.contains(" 200 "), "{method} {path}: {line}");
    loop {
        line.clear();
        connection.read_line(&mut line).expect("an answer");
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    if method != "HEAD" {
        let mut body = vec![0; length];
        connection.read_exact(&mut body).expect("a body");
    }
}
