//! Debian's proxies between the program and a registry.

use std::process::{Child, Command, Stdio};

use super::dir::{Dir, wait_until};
use super::registry::free_port;

/// A running server; ended on drop.
pub struct Process {
    child: Child,
    /// Has its configuration and logs.
    pub dir: Dir,
    pub port: u16,
}

impl Process {
    /// Starts a server; its configuration depends on a port and a directory.
    fn start(
        program: &str,
        package: &str,
        args: &[&str],
        configuration: impl Fn(&Dir, u16) -> String,
    ) -> Self {
        let dir = Dir::new();
        // Debian installs nginx to /usr/sbin, which is not in an ordinary user's PATH.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        for _ in 0..10 {
            let port = free_port();
            let file = dir.write("server.conf", configuration(&dir, port));
            let mut child = Command::new(program)
                .args(args)
                .arg(file)
                .env("PATH", &path)
                .current_dir(dir.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!("{program}: {error}; install it with: apt-get install {package}")
                });
            let mut ended = false;
            wait_until(program, || {
                ended = child.try_wait().expect("its state").is_some();
                ended || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
            });
            if !ended {
                return Self { child, dir, port };
            }
        }
        panic!("{program} does not start");
    }

    /// An HTTP proxy, with user `user` and password `hunter2` if wanted.
    pub fn proxy(with_password: bool) -> Self {
        Self::start("tinyproxy", "tinyproxy", &["-d", "-c"], |dir, port| {
            let password = if with_password {
                "BasicAuth user hunter2\n"
            } else {
                ""
            };
            format!(
                "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nLogLevel Connect\nLogFile \"{}/log\"\n{password}",
                dir.path().display()
            )
        })
    }

    /// nginx with this `server` section; `PORT` in it is replaced.
    pub fn nginx(server: &str) -> Self {
        Self::start(
            "nginx",
            "nginx-light",
            // -p: names are relative to the test's directory, not to /usr/share/nginx.
            &["-p", ".", "-e", "error.log", "-c"],
            |dir, port| {
                let path = dir.path().display();
                let server = server.replace("PORT", &port.to_string());
                let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|name| format!("{name}_temp_path {path}/{name};\n"))
                    .concat();
                format!(
                    "daemon off;\nuser root;\npid {path}/pid;\nworker_processes 1;\nevents {{}}\nhttp {{\naccess_log off;\n{temp}server {{\n{server}\n}}\n}}\n"
                )
            },
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // nginx' master ends its workers on SIGTERM, not on SIGKILL.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}
