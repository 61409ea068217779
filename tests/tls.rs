//! TLS: private CAs, self-signed certificates, certs.d, client certificates, and refused certificates.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::support::process::Process;
use crate::support::registry::{Registry, Setup};
use crate::support::server::Request;
use crate::support::tls::{Authority, Pair};
use crate::support::{Content, Dir, How, Reply, Run, Server, answer};

/// An image, and its mirror in the same registry.
fn content() -> Content {
    let mut content = Content::default();
    for repository in ["team/x", "team/y"] {
        content.multi(repository, "1", &["linux/amd64", "linux/arm64"], "a");
    }
    content
}

fn server(config: Arc<ServerConfig>) -> Server {
    let content = content();
    Server::start_tls(config, move |request| answer(&content, request))
}

/// Validates an image of this registry against its mirror there: one host, one certificate.
fn validate(dir: &Dir, registry: &str, flags: &str) -> Run {
    dir.validate()
        .args(&format!("--retries 0 -s {registry} -d {registry} {flags}"))
        .stdin("team/x team/y 1\n")
        .run()
}

#[track_caller]
fn refused(run: &Run, cause: &str) {
    run.code(3)
        .has("NOT VALIDATED")
        .has(cause)
        .has("--ca-file")
        .has("--tls-verify=false")
        .has("certs.d/127.0.0.1:");
}

/// A cause that no CA mends: only the host itself can be excepted.
#[track_caller]
fn unmended(run: &Run, cause: &str) {
    run.code(3)
        .has("NOT VALIDATED")
        .has(cause)
        .has("--insecure 127.0.0.1:")
        .has_not("--ca-file")
        .has_not("--tls-verify=false");
}

/// Files of a certificate that openssl makes: Debian has it wherever it has CAs.
fn openssl(dir: &Dir, name: &str, arguments: &str) {
    let script = format!(
        "openssl req -x509 -nodes -days 3650 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout {name}.key -out {name}.pem {arguments}"
    );
    let run = dir.command("sh").arg("-c").arg(script).run();
    run.code(0);
}

/// nginx with a certificate that openssl made, and more of its settings.
fn nginx(dir: &Dir, name: &str, settings: &str) -> Process {
    Process::nginx(&format!(
        "listen 127.0.0.1:PORT ssl;\nssl_certificate {0}.pem;\nssl_certificate_key {0}.key;\n{settings}",
        dir.path().join(name).display(),
    ))
}

#[test]
fn every_cause_has_its_own_remedy() {
    let dir = Dir::new();
    openssl(&dir, "weak", "-newkey rsa:1024");
    openssl(&dir, "rsa", "-newkey rsa:2048");
    openssl(
        &dir,
        "client",
        "-newkey rsa:2048 -addext extendedKeyUsage=clientAuth",
    );
    openssl(&dir, "late", "-newkey rsa:2048");
    for (name, settings, flags, expected) in [
        (
            "weak",
            "ssl_ciphers DEFAULT:@SECLEVEL=0;",
            "--ca-file weak.pem",
            "RSA key of 1024 bits; the minimum is 2048; reissue the registry's certificate",
        ),
        (
            "client",
            "",
            "--ca-file client.pem",
            "the certificate is not a server certificate (extended key usage); reissue the registry's certificate",
        ),
        (
            "rsa",
            "ssl_protocols TLSv1.1; ssl_ciphers DEFAULT:@SECLEVEL=0;",
            "--ca-file rsa.pem",
            "enable TLS 1.2 or 1.3 on the registry",
        ),
        (
            "rsa",
            "ssl_protocols TLSv1.2; ssl_ciphers AES256-SHA256;",
            "--ca-file rsa.pem",
            "enable a cipher suite with ECDHE",
        ),
        (
            "rsa",
            "",
            "",
            "the certificate is self-signed and not configured as trusted; install the registry's certificate as",
        ),
    ] {
        let nginx = nginx(&dir, name, settings);
        let host = format!("127.0.0.1:{}", nginx.port);
        let run = validate(&dir, &host, flags);
        run.code(3).has(expected).has_not(" { ");
        let is_trust = flags.is_empty();
        assert_eq!(run.stdout.contains("--ca-file"), is_trust, "{}", run.stdout);
    }
    // Where nothing is verified, nothing proposes not to verify.
    let nginx = nginx(
        &dir,
        "rsa",
        "ssl_protocols TLSv1.1; ssl_ciphers DEFAULT:@SECLEVEL=0;",
    );
    let host = format!("127.0.0.1:{}", nginx.port);
    validate(&dir, &host, "--tls-verify=false")
        .code(3)
        .has_not("--tls-verify")
        .has_not("--insecure");
}

#[test]
fn a_client_certificate_that_is_wanted_is_said_to_be() {
    let authority = Authority::new();
    let server = server(authority.asking_clients(&authority.issue(&["127.0.0.1"])));
    let dir = Dir::new();
    dir.write("ca.pem", &authority.pem);
    validate(&dir, &server.name(), "--ca-file ca.pem")
        .code(3)
        .has("the server requires a client certificate")
        .has(&format!(
            "install a client certificate and its key as client.cert and client.key in /etc/containers/certs.d/{}/",
            server.name()
        ));
    let strange = Authority::new().issue(&["client"]);
    let certs_d = format!(".config/containers/certs.d/{}", server.name());
    dir.write(&format!("{certs_d}/ca.crt"), &authority.pem);
    dir.write(&format!("{certs_d}/client.cert"), &strange.pem);
    dir.write(&format!("{certs_d}/client.key"), &strange.key_pem);
    validate(&dir, &server.name(), "")
        .code(3)
        .has("the server does not accept the client certificate")
        .has("check client.cert in ");
}

#[test]
fn the_variables_of_the_system_s_cas_are_obeyed_or_errors() {
    let pair = Pair::self_signed(&["127.0.0.1"], false);
    let server = server(pair.server());
    let dir = Dir::new();
    let own = dir.write("own.pem", &pair.pem);
    let empty = dir.write("empty.pem", "");
    let text = dir.write("text.pem", "no certificate");
    std::fs::create_dir(dir.path().join("no-cas")).unwrap();
    let with = |name: &str, value: &std::path::Path| {
        dir.validate()
            .args(&format!("--retries 0 -s {0} -d {0}", server.name()))
            .env(name, value)
            .stdin("team/x team/y 1\n")
            .run()
    };
    with("SSL_CERT_FILE", &own).code(0).has("PASS");
    for path in [empty, text] {
        with("SSL_CERT_FILE", &path)
            .code(2)
            .one_error(" of $SSL_CERT_FILE contains no PEM certificate");
    }
    with("SSL_CERT_FILE", &dir.path().join("missing.pem"))
        .code(2)
        .one_error("missing.pem of $SSL_CERT_FILE: No such file");
    with("SSL_CERT_DIR", &dir.path().join("missing"))
        .code(2)
        .one_error("missing of $SSL_CERT_DIR: No such file");
    dir.write("cas/own.pem", &pair.pem);
    let cas = dir.path().join("cas");
    with("SSL_CERT_DIR", &cas).code(0).has("PASS");
    let list = std::env::join_paths([dir.path().join("missing"), cas]).unwrap();
    with("SSL_CERT_DIR", list.as_ref()).code(0).has("PASS");
    with("SSL_CERT_DIR", &dir.path().join("no-cas"))
        .code(2)
        .one_error(" of $SSL_CERT_DIR contains no PEM certificate");
}

#[test]
fn a_real_registry_with_a_private_ca() {
    let authority = Authority::new();
    let pair = authority.issue(&["127.0.0.1"]);
    // Filled over plain HTTP: the same storage, served over TLS afterwards.
    let directory = Registry::of(&content()).stop();
    let certificate = directory.write("server.pem", &pair.pem);
    let key = directory.write("server.key", &pair.key_pem);
    let setup = Setup {
        http: format!(
            "  tls: {{certificate: {}, key: {}}}\n",
            certificate.display(),
            key.display()
        ),
        ..Setup::default()
    };
    let registry = Registry::with(directory, &setup);
    let dir = Dir::new();
    refused(
        &validate(&dir, &registry.name(), ""),
        "the certificate is signed by an unknown authority (image-tools test authority); install the CA certificate",
    );
    dir.write("ca.pem", &authority.pem);
    validate(&dir, &registry.name(), "--ca-file ca.pem")
        .code(0)
        .has("PASS");
    validate(&dir, &registry.name(), "--tls-verify=false")
        .code(0)
        .has("PASS");
    let system = dir
        .validate()
        .args(&format!("-s {0} -d {0}", registry.name()))
        .env("SSL_CERT_FILE", dir.path().join("ca.pem"));
    system.stdin("team/x team/y 1\n").run().code(0).has("PASS");
    dir.write(
        &format!(".config/containers/certs.d/{}/ca.crt", registry.name()),
        &authority.pem,
    );
    validate(&dir, &registry.name(), "").code(0).has("PASS");
}

#[test]
fn a_self_signed_certificate_that_is_the_configured_file() {
    let pair = Pair::self_signed(&["127.0.0.1"], false);
    let server = server(pair.server());
    let dir = Dir::new();
    dir.write("ca.pem", &pair.pem);
    validate(&dir, &server.name(), "--ca-file ca.pem")
        .code(0)
        .has("PASS");
    refused(&validate(&dir, &server.name(), ""), "self-signed");
    let other = Pair::self_signed(&["127.0.0.1"], false);
    dir.write("other.pem", &other.pem);
    refused(
        &validate(&dir, &server.name(), "--ca-file other.pem"),
        "self-signed",
    );
}

#[test]
fn a_configured_certificate_is_for_its_names_and_its_time_only() {
    let dir = Dir::new();
    let other_name = Pair::self_signed(&["registry.test"], false);
    dir.write("name.pem", &other_name.pem);
    let run = validate(
        &dir,
        &server(other_name.server()).name(),
        "--ca-file name.pem",
    );
    unmended(
        &run,
        "the certificate is valid for other names only: registry.test; use one of these names in the image list",
    );
    let expired = Pair::self_signed(&["127.0.0.1"], true);
    dir.write("expired.pem", &expired.pem);
    let run = validate(
        &dir,
        &server(expired.server()).name(),
        "--ca-file expired.pem",
    );
    unmended(
        &run,
        "the certificate expired on 2021-02-03 00:00 UTC; renew the registry's certificate",
    );
    let early = Pair::not_valid_yet(&["127.0.0.1"]);
    dir.write("early.pem", &early.pem);
    let run = validate(&dir, &server(early.server()).name(), "--ca-file early.pem");
    unmended(
        &run,
        "the certificate is not valid before 2090-01-01 00:00 UTC; check the clock of this machine",
    );
    let nameless = Pair::self_signed(&[], false);
    dir.write("nameless.pem", &nameless.pem);
    unmended(
        &validate(
            &dir,
            &server(nameless.server()).name(),
            "--ca-file nameless.pem",
        ),
        "the certificate has no host name in subjectAltName",
    );
}

#[test]
fn certs_d_matches_the_exact_port_and_the_first_directory_counts() {
    let pair = Pair::self_signed(&["127.0.0.1"], false);
    let server = server(pair.server());
    let dir = Dir::new();
    let rootless = format!(".config/docker/certs.d/{}/ca.crt", server.name());
    dir.write(".config/containers/certs.d/127.0.0.1/ca.crt", &pair.pem);
    refused(&validate(&dir, &server.name(), ""), "self-signed");
    dir.write(&rootless, &pair.pem);
    validate(&dir, &server.name(), "").code(0).has("PASS");
    std::fs::create_dir_all(
        dir.path()
            .join(format!(".config/containers/certs.d/{}", server.name())),
    )
    .unwrap();
    refused(&validate(&dir, &server.name(), ""), "self-signed");
}

#[test]
fn client_certificates() {
    let authority = Authority::new();
    let server = server(authority.asking_clients(&authority.issue(&["127.0.0.1"])));
    let dir = Dir::new();
    let certs_d = format!(".config/containers/certs.d/{}", server.name());
    dir.write(&format!("{certs_d}/ca.crt"), &authority.pem);
    validate(&dir, &server.name(), "")
        .code(3)
        .has("NOT VALIDATED");
    let client = authority.issue(&["client"]);
    dir.write(&format!("{certs_d}/client.cert"), &client.pem);
    validate(&dir, &server.name(), "")
        .code(3)
        .has("client.cert has no key ")
        .has("CA certificates must have the extension .crt");
    dir.write(
        &format!("{certs_d}/client.key"),
        &authority.issue(&["other"]).key_pem,
    );
    validate(&dir, &server.name(), "")
        .code(3)
        .has("client.cert cannot be used with its key")
        .has_not("internal error");
    dir.write(&format!("{certs_d}/client.key"), &client.key_pem);
    validate(&dir, &server.name(), "").code(0).has("PASS");
    std::fs::remove_file(dir.path().join(format!("{certs_d}/client.cert"))).unwrap();
    validate(&dir, &server.name(), "")
        .code(3)
        .has("client.key has no client certificate ");
}

#[test]
fn every_ca_file_that_is_given_is_trusted() {
    let dir = Dir::new();
    let authorities = [Authority::new(), Authority::new()];
    let servers = authorities
        .each_ref()
        .map(|authority| server(authority.issue(&["127.0.0.1"]).server()));
    for (authority, name) in authorities.iter().zip(["one.pem", "two.pem"]) {
        dir.write(name, &authority.pem);
    }
    let validate = |files: &str| {
        dir.validate()
            .args(&format!(
                "--retries 0 -s {} -d {} {files}",
                servers[0].name(),
                servers[1].name()
            ))
            .stdin("team/x team/x 1\n")
            .run()
    };
    validate("--ca-file one.pem --ca-file=two.pem")
        .code(0)
        .has("PASS")
        .has_not("WARN");
    validate("--ca-file one.pem").code(3).has("NOT VALIDATED");
    validate("--ca-file two.pem").code(3).has("NOT VALIDATED");
    validate("--ca-file one.pem --ca-file two.pem -o two.pem")
        .code(2)
        .one_error("cannot write the failed list two.pem: it would overwrite the certificate file");
}

#[test]
fn a_ca_file_that_is_none_is_a_usage_error() {
    let dir = Dir::new();
    dir.write("text.pem", "hello");
    dir.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
    );
    for (flags, message) in [
        (
            "--ca-file missing.pem",
            "cannot read the certificate file missing.pem: No such file",
        ),
        (
            "--ca-file text.pem",
            "the certificate file text.pem contains no PEM certificate",
        ),
        (
            "--ca-file broken.pem",
            "the certificate file broken.pem cannot be used",
        ),
    ] {
        validate(&dir, "127.0.0.1:1", flags)
            .code(2)
            .one_error(message);
    }
}

#[test]
fn plain_http_is_used_for_loopback_or_on_request_only() {
    let server = Server::of(content());
    let dir = Dir::new();
    // The same server by a name that is not this machine's: 0.0.0.0 leads here, and is no loopback.
    let outside = format!("0.0.0.0:{}", server.port());
    let run = validate(&dir, &outside, "");
    run.code(3)
        .has("the server does not speak TLS on this port")
        .has("for plain HTTP, use --tls-verify=false");
    assert!(server.requests().is_empty());
    validate(&dir, &outside, "--tls-verify=false")
        .code(0)
        .has("PASS");
    validate(&dir, &format!("localhost:{}", server.port()), "")
        .code(0)
        .has("PASS");
}

#[test]
fn a_certificate_error_never_leads_to_plain_http() {
    let pair = Pair::self_signed(&["127.0.0.1"], false);
    let server = server(pair.server());
    let run = validate(&Dir::new(), &server.name(), "-debug");
    refused(&run, "self-signed");
    // A port of this machine is asked over plain HTTP first, and not again.
    let log = run.log();
    let is_plain = |line: &String| line.contains("GET http://");
    assert_eq!(
        log.iter().position(is_plain),
        log.iter().rposition(is_plain)
    );
    let last = log.iter().rposition(|line| line.contains("GET http"));
    assert!(
        log[last.expect("requests")].contains("GET https://"),
        "{log:?}"
    );
}

/// A registry with `team/a` and with the images of `team/b`, but not with its tag. Behind the last
/// image of `team/a` it sends a response for that tag, which nobody asked for.
fn with_surplus(content: &Content, length: usize) -> impl Fn(&Request) -> Reply + use<> {
    let content = content.clone();
    move |request| {
        let reply = answer(&content, request);
        if request.path.ends_with("/team/b/manifests/1") {
            return Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
        }
        let index = answer(
            &content,
            &Request {
                path: "/v2/team/b/manifests/1".to_owned(),
                ..request.clone()
            },
        );
        let last = String::from_utf8_lossy(&index.body);
        let last = last.rsplit("sha256:").next().unwrap_or_default()[..64].to_owned();
        if !request.path.contains("/team/a/") || !request.path.ends_with(&last) {
            return reply;
        }
        let mut surplus = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
            index.body.len()
        );
        surplus += &String::from_utf8_lossy(&index.body);
        let padding = length.saturating_sub(reply.body.len());
        let reply = reply.header("x-padding", "x".repeat(padding));
        reply.how(How::Followed(surplus.into_bytes()))
    }
}

#[test]
fn an_unsolicited_response_is_not_used_for_the_next_image() {
    let mut content = Content::default();
    for repository in ["team/a", "team/b"] {
        content.multi(repository, "1", &["linux/amd64", "linux/arm64"], "a");
    }
    let source = Server::of(content.clone());
    let pair = Pair::self_signed(&["127.0.0.1"], false);
    let sizes = (3_400..4_200)
        .step_by(100)
        .chain([500, 8_000, 15_800, 16_300]);
    for size in sizes {
        let secure = Server::start_tls(pair.server(), with_surplus(&content, size));
        let plain = Server::start(with_surplus(&content, size));
        for destination in [&secure, &plain] {
            let dir = Dir::new();
            dir.write("list.txt", "team/a team/a 1\nteam/b team/b 1\n");
            dir.write("ca.pem", &pair.pem);
            let flags = format!(
                "-f list.txt --ca-file ca.pem -s {} -d {}",
                source.name(),
                destination.name()
            );
            let run = dir.validate().args(&flags).run();
            run.code(1).has("[M_ID:1] PASS").has(&format!(
                "[{}/team/b:1]: destination manifest does not exists",
                destination.name()
            ));
        }
    }
}

#[test]
fn p_521_keys_authorities_and_key_exchange() {
    const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:secp521r1";
    let dir = Dir::new();
    openssl(&dir, "p521", EC);
    openssl(&dir, "p521-sha256", &format!("{EC} -sha256"));
    openssl(&dir, "rsa", "-newkey rsa:2048");
    openssl(&dir, "other", EC);
    // A CA of P-521, with each hash, and a server's certificate that it issued.
    openssl(&dir, "ca", &format!("{EC} -sha512"));
    let script = "openssl req -nodes -newkey rsa:2048 -subj /CN=leaf -addext subjectAltName=IP:127.0.0.1 -keyout leaf.key -out leaf.csr && \
                  openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -copy_extensions copy -sha512 -out leaf.pem";
    dir.command("sh").arg("-c").arg(script).run().code(0);
    for (name, ca, settings) in [
        ("p521", "p521", "ssl_protocols TLSv1.3;"),
        ("p521", "p521", "ssl_protocols TLSv1.2;"),
        ("p521-sha256", "p521-sha256", ""),
        ("leaf", "ca", ""),
        (
            "rsa",
            "rsa",
            "ssl_ecdh_curve secp521r1; ssl_protocols TLSv1.3;",
        ),
        (
            "p521",
            "p521",
            "ssl_ecdh_curve secp521r1; ssl_protocols TLSv1.2;",
        ),
    ] {
        let registry = Server::of(content());
        let nginx = nginx(
            &dir,
            name,
            &format!(
                "{settings} location / {{ proxy_pass http://{}; }}",
                registry.name()
            ),
        );
        let host = format!("127.0.0.1:{}", nginx.port);
        validate(&dir, &host, &format!("--ca-file {ca}.pem"))
            .code(0)
            .has("PASS");
        validate(&dir, &host, "--ca-file other.pem").code(3);
    }
}

#[test]
fn an_unsolicited_response_through_a_proxy_is_not_used_for_the_next_image() {
    /// Both buffers of a connection through a proxy.
    const BUFFER: usize = 64 * 1024;
    let mut content = Content::default();
    for repository in ["team/a", "team/b"] {
        content.multi(repository, "1", &["linux/amd64", "linux/arm64"], "a");
    }
    let source = Server::of(content.clone());
    let surplus = with_surplus(&content, 0);
    // The proxy answers in the registry's place. The response that is followed fills the buffer above
    // to its end: what follows is in the buffer below.
    let proxy = Server::start(move |request| {
        let path = request
            .path
            .strip_prefix("http://reg.test")
            .map_or_else(|| request.path.clone(), str::to_owned);
        let mut reply = surplus(&Request {
            path,
            ..request.clone()
        });
        if let How::Followed(bytes) = reply.how.clone() {
            reply.headers.retain(|(name, _)| name != "x-padding");
            let fields = reply.headers.iter();
            let fields: usize = fields
                .map(|(name, value)| name.len() + value.len() + 4)
                .sum();
            let length = format!("content-length: {}\r\n", reply.body.len());
            let known = "HTTP/1.1 200 X\r\nx-padding: \r\n\r\n".len() + length.len() + fields;
            let padding = "x".repeat(BUFFER - known - reply.body.len());
            return reply
                .header("x-padding", padding)
                .how(How::FollowedLate(8_000, bytes));
        }
        reply
    });
    let dir = Dir::new();
    dir.write("list.txt", "team/a team/a 1\nteam/b team/b 1\n");
    let flags = format!(
        "-j 1 -f list.txt --tls-verify=false -s {} -d reg.test",
        source.name()
    );
    let command = dir.validate().args(&flags);
    let run = command
        .env("HTTP_PROXY", format!("http://{}", proxy.name()))
        .env("HTTPS_PROXY", format!("http://{}", proxy.name()))
        .run();
    run.code(1)
        .has("[M_ID:1] PASS")
        .has("[reg.test/team/b:1]: destination manifest does not exists");
}

#[test]
fn a_token_server_s_certificate_is_not_the_registry_s() {
    let registry = Authority::new();
    let tokens = server(Authority::new().issue(&["127.0.0.1"]).server());
    let realm = format!(
        "Bearer realm=\"https://{}/token\",service=\"s\"",
        tokens.name()
    );
    let host = Server::start_tls(registry.issue(&["127.0.0.1"]).server(), move |_| {
        Reply::error(401, "UNAUTHORIZED", "login").header("www-authenticate", realm.clone())
    });
    let dir = Dir::new();
    dir.write("ca.pem", &registry.pem);
    let run = validate(&dir, &host.name(), "--ca-file ca.pem");
    run.code(3)
        .has(&format!(
            "{}: the certificate is signed by a CA that has the name of a trusted CA (image-tools test authority), but another key",
            tokens.name()
        ))
        .has(&format!("certs.d/{}/ca.crt", tokens.name()))
        .has_not(&format!("certs.d/{}/ca.crt", host.name()));
}

/// A server that ends every TLS handshake with this fatal alert (RFC 8446, section 6), and plain
/// connections without a response. Runs until the test process ends.
fn alerting(alert: u8) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut hello = [0; 4096];
            if stream.read(&mut hello).is_ok_and(|_| hello[0] == 0x16) {
                let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, alert]);
            }
        }
    });
    name
}

#[test]
fn the_alert_of_a_server_is_explained() {
    for (alert, cause) in [
        (
            40,
            "supports no cipher suite of this program (alert: handshake failure)",
        ),
        (
            70,
            "supports neither TLS 1.2 nor TLS 1.3 (alert: protocol version)",
        ),
        (80, "reported an internal error"),
        (
            112,
            "does not know this host name (alert: unrecognized name)",
        ),
        (116, "requires a client certificate (alert 116)"),
        (10, "aborted the handshake (alert 10)"),
    ] {
        let run = validate(&Dir::new(), &alerting(alert), "");
        run.code(3)
            .has("NOT VALIDATED")
            .has(cause)
            .has_not("--ca-file")
            .has_not("AlertReceived");
    }
}
