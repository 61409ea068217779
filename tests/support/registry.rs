//! A real registry: Debian's `docker-registry` (distribution) on loopback.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use ureq::Agent;

use super::content::{Content, digest};
use super::dir::{Dir, wait_until};

/// A running registry; ended on drop.
pub struct Registry {
    /// Has its storage.
    dir: Option<Dir>,
    port: u16,
    process: Child,
    agent: Agent,
    authorization: Option<String>,
}

/// Additional settings of a registry.
#[derive(Clone, Default)]
pub struct Setup {
    /// Lines for the `http` section of its configuration (`tls`, `prefix`).
    pub http: String,
    /// Its `auth` section.
    pub auth: String,
    /// The Authorization header of the test's own pushes.
    pub authorization: Option<String>,
}

impl Registry {
    /// A registry with this content in its storage.
    pub fn of(content: &Content) -> Self {
        let dir = Dir::new();
        store(&dir, content);
        Self::with(dir, &Setup::default())
    }

    /// A registry with additional settings, which may name files in the directory.
    pub fn with(dir: Dir, setup: &Setup) -> Self {
        for _ in 0..10 {
            let port = free_port();
            let config = format!(
                "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: {{rootdirectory: {root}/data}}\n  delete: {{enabled: true}}\nhttp:\n  addr: 127.0.0.1:{port}\n{http}{auth}",
                root = dir.path().display(),
                http = setup.http,
                auth = setup.auth,
            );
            let path = dir.write("registry.yml", config);
            let mut process = Command::new("docker-registry")
                .arg("serve")
                .arg(path)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!(
                        "docker-registry: {error}; install it with: apt-get install docker-registry"
                    )
                });
            let mut ended = false;
            wait_until("the registry", || {
                ended = process.try_wait().expect("its state").is_some();
                ended || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
            });
            if !ended {
                let config = Agent::config_builder()
                    .http_status_as_error(false)
                    .proxy(None)
                    .build();
                return Self {
                    dir: Some(dir),
                    port,
                    process,
                    agent: config.new_agent(),
                    authorization: setup.authorization.clone(),
                };
            }
            // Another process has taken the port.
        }
        panic!("docker-registry does not start");
    }

    /// `127.0.0.1:PORT`.
    pub fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `localhost:PORT`, the same server by another name: a mirror that is not its own source.
    pub fn alias(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Ends it; another registry can start on its storage.
    pub fn stop(mut self) -> Dir {
        self.dir.take().expect("its storage")
    }

    /// Pushes everything.
    pub fn fill(&self, content: &Content) {
        for ((repository, digest), bytes) in &content.blobs {
            let started = self.send(
                "POST",
                &format!("/v2/{repository}/blobs/uploads/"),
                None,
                b"",
            );
            let location = started
                .headers()
                .get("location")
                .expect("an upload")
                .to_str()
                .expect("a URL")
                .to_owned();
            let separator = if location.contains('?') { '&' } else { '?' };
            let path = location
                .split_once(&self.name())
                .map_or(location.as_str(), |(_, path)| path);
            let done = self.send(
                "PUT",
                &format!("{path}{separator}digest={digest}"),
                Some("application/octet-stream"),
                bytes,
            );
            assert_eq!(done.status(), 201, "blob {digest}");
        }
        for (repository, reference, stored) in &content.manifests {
            let path = format!("/v2/{repository}/manifests/{reference}");
            let mut answer = self.send("PUT", &path, Some(&stored.media_type), &stored.bytes);
            assert_eq!(
                answer.status(),
                201,
                "{path}: {:?}",
                answer.body_mut().read_to_string()
            );
        }
    }

    /// The path of a blob or manifest in its storage.
    pub fn file(&self, digest: &str) -> PathBuf {
        let storage = self.dir.as_ref().expect("its storage").path();
        storage.join(blob_file(digest))
    }

    /// Deletes a manifest by its digest.
    pub fn delete(&self, repository: &str, digest: &str) {
        let answer = self.send(
            "DELETE",
            &format!("/v2/{repository}/manifests/{digest}"),
            None,
            b"",
        );
        assert_eq!(answer.status(), 202);
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> ureq::http::Response<ureq::Body> {
        let url = format!("http://{}{path}", self.name());
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        self.agent
            .run(request.body(body).expect("a request"))
            .expect("an answer")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The path of a blob or manifest in distribution's filesystem storage.
fn blob_file(digest: &str) -> String {
    let hash = digest.trim_start_matches("sha256:");
    format!("{STORAGE}/blobs/sha256/{}/{hash}/data", &hash[..2])
}

const STORAGE: &str = "data/docker/registry/v2";

/// Writes this content in the form of distribution's filesystem storage, many times faster than pushes: each
/// blob and manifest once, with links from each repository and tag.
fn store(dir: &Dir, content: &Content) {
    let link = |place: &str, digest: &str| {
        dir.write(&format!("{STORAGE}/repositories/{place}/link"), digest);
    };
    let data = |digest: &str, bytes: &[u8]| {
        let file = blob_file(digest);
        if !dir.has(&file) {
            dir.write(&file, bytes);
        }
    };
    for ((repository, digest), bytes) in &content.blobs {
        data(digest, bytes);
        let path = digest.replace(':', "/");
        link(&format!("{repository}/_layers/{path}"), digest);
    }
    for (repository, reference, stored) in &content.manifests {
        let digest = digest(&stored.bytes);
        data(&digest, &stored.bytes);
        let path = digest.replace(':', "/");
        let manifests = format!("{repository}/_manifests");
        link(&format!("{manifests}/revisions/{path}"), &digest);
        if !reference.contains(':') {
            link(&format!("{manifests}/tags/{reference}/current"), &digest);
            link(
                &format!("{manifests}/tags/{reference}/index/{path}"),
                &digest,
            );
        }
    }
}

/// A free port, below the range from which the system assigns ports.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id() % 200 * 100;
    loop {
        let number = 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let port = u16::try_from(number).expect("a port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
