//! HTTP proxies, and nginx in front of a registry.

use crate::support::process::Process;
use crate::support::tls::Authority;
use crate::support::{Content, Dir, Registry, Server, answer};

/// An image, and its mirror in the same registry.
fn content() -> Content {
    let mut content = Content::default();
    for repository in ["team/x", "team/y"] {
        content.multi(repository, "1", &["linux/amd64", "linux/arm64"], "a");
    }
    content
}

const LINE: &str = "team/x team/y 1\n";

#[test]
fn https_goes_through_a_tunnel() {
    let authority = Authority::new();
    let content = content();
    // An address that is no loopback by its text, and leads to this machine.
    let server = Server::start_tls(authority.issue(&["0.0.0.0"]).server(), move |request| {
        answer(&content, request)
    });
    let name = format!("0.0.0.0:{}", server.port());
    let proxy = Process::proxy(false);
    let dir = Dir::new();
    dir.write("ca.pem", &authority.pem);
    let validate = |variable: &str, exempt: &str| {
        let command = dir
            .validate()
            .args(&format!("--ca-file ca.pem -s {name} -d {name}"));
        command
            .env(variable, format!("127.0.0.1:{}", proxy.port))
            .env("NO_PROXY", exempt)
            .stdin(LINE)
            .run()
    };
    let used = || proxy.dir.read("log").matches("CONNECT 0.0.0.0:").count();
    validate("HTTPS_PROXY", "reg.test").code(0).has("PASS");
    assert!(used() > 0, "{}", proxy.dir.read("log"));
    let before = used();
    validate("https_proxy", "0.0.0.0/8").code(0).has("PASS");
    validate("HTTP_PROXY", "").code(0).has("PASS");
    validate("ALL_PROXY", "").code(0).has("PASS");
    assert_eq!(used(), before, "not for this host, or not for this scheme");
}

#[test]
fn plain_http_names_its_whole_url_to_the_proxy() {
    let registry = Registry::of(&content());
    let name = registry.name().replace("127.0.0.1", "0.0.0.0");
    let proxy = Process::proxy(true);
    let dir = Dir::new();
    let validate = |proxy: String| {
        let command = dir
            .validate()
            .args(&format!("-debug --tls-verify=false -s {name} -d {name}"));
        command.env("http_proxy", proxy).stdin(LINE).run()
    };
    validate(format!("http://user:hunter2@127.0.0.1:{}", proxy.port))
        .code(0)
        .has("PASS")
        .has_not("hunter2");
    let log = proxy.dir.read("log");
    assert!(
        log.contains(&format!("GET http://{name}/v2/team/x/manifests/1")),
        "{log}"
    );
    assert!(!log.contains("CONNECT 0.0.0.0"), "{log}");
    let refused = validate(format!("http://user:wrong@127.0.0.1:{}", proxy.port));
    refused
        .code(3)
        .has(&format!(
            "the proxy 127.0.0.1:{} rejected the user name or password (407); set them in the proxy variable: ",
            proxy.port
        ))
        .has_not("wrong");
    validate(format!("http://127.0.0.1:{}", proxy.port))
        .code(3)
        .has(&format!(
            "the proxy 127.0.0.1:{} requires a user name and password (407)",
            proxy.port
        ));
}

#[test]
fn a_proxy_that_is_down_is_named_without_its_password() {
    let dir = Dir::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    drop(silent);
    for variable in ["HTTPS_PROXY", "HTTP_PROXY"] {
        let run = dir
            .validate()
            .args("--retries 0 --patience 0s --tls-verify=false -s reg.test -d other.test")
            .env(variable, format!("http://me:hunter2@127.0.0.1:{port}"))
            .stdin(LINE)
            .run();
        run.code(3).has_not("hunter2");
        if variable == "HTTPS_PROXY" {
            run.has(&format!("the proxy 127.0.0.1:{port}: connection refused"));
        }
    }
    let run = dir
        .validate()
        .args("--retries 0 --patience 0s -s reg.test -d other.test")
        .env("HTTPS_PROXY", "http://proxy.invalid:3128")
        .stdin(LINE)
        .run();
    run.code(3).has("proxy proxy.invalid:3128: ");
}

#[test]
fn this_machine_is_never_reached_by_proxy_and_a_broken_value_is_named() {
    let registry = Registry::of(&content());
    let dir = Dir::new();
    let through_nobody =
        dir.validate()
            .args(&format!("-s {0} -d {1}", registry.name(), registry.alias()));
    through_nobody
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .stdin(LINE)
        .run()
        .code(0)
        .has("PASS");
    let broken = dir
        .validate()
        .args("-s reg.test -d reg.test")
        .env("HTTPS_PROXY", "ftp://user:hunter2@x");
    broken
        .stdin(LINE)
        .run()
        .code(3)
        .has("the value of $HTTPS_PROXY is not a proxy URL (expected http://HOST:PORT)")
        .has_not("hunter2");
}

#[test]
fn nginx_in_front_with_client_certificates_and_a_path() {
    let registry = Registry::of(&content());
    let authority = Authority::new();
    let (pair, client) = (
        authority.issue(&["127.0.0.1"]),
        authority.issue(&["client"]),
    );
    let files = Dir::new();
    let (certificate, key, ca) = (
        files.write("server.pem", &pair.pem),
        files.write("server.key", &pair.key_pem),
        files.write("ca.pem", &authority.pem),
    );
    let nginx = Process::nginx(&format!(
        "listen 127.0.0.1:PORT ssl;\nssl_certificate {};\nssl_certificate_key {};\nssl_client_certificate {};\nssl_verify_client on;\n\
         location /v2/ {{ proxy_pass http://{upstream}/v2/; }}\nlocation /v2/hub/cache/ {{ proxy_pass http://{upstream}/v2/; }}",
        certificate.display(),
        key.display(),
        ca.display(),
        upstream = registry.name(),
    ));
    let name = format!("127.0.0.1:{}", nginx.port);
    let dir = Dir::new();
    let certs_d = format!(".config/containers/certs.d/{name}");
    dir.write(&format!("{certs_d}/ca.crt"), &authority.pem);
    let validate = |source: &str| {
        dir.validate()
            .args(&format!("-s {source} -d {name}"))
            .stdin(LINE)
            .run()
    };
    validate(&name)
        .code(3)
        .has("400 Bad Request (No required SSL certificate was sent); install a client certificate and its key as client.cert and client.key in /etc/containers/certs.d/");
    dir.write(&format!("{certs_d}/me.cert"), &client.pem);
    dir.write(&format!("{certs_d}/me.key"), &client.key_pem);
    validate(&name).code(0).has("PASS");
    validate(&format!("{name}/hub/cache")).code(0).has(&format!(
        "PASS [{name}/hub/cache/team/x:1] == [{name}/team/y:1]"
    ));
    validate(&format!("{name}/hub/other"))
        .code(3)
        .has("source manifest does not exist");
}

#[test]
fn a_server_of_this_machine_that_waits_for_the_rest_of_a_tls_hello_costs_no_time() {
    let server = Server::of(content()).swallowing_tls();
    let dir = Dir::new();
    let flags = format!("--timeout 20s -s {} -d {}", server.name(), server.alias());
    let begun = std::time::Instant::now();
    dir.validate().args(&flags).stdin(LINE).run().code(0);
    assert!(begun.elapsed() < std::time::Duration::from_secs(8));
}
