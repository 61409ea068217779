//! Hostile and broken servers: no crash, no secret, no wrong verdict.

use std::fmt::Write as _;

use crate::support::{Content, Dir, How, LIST, Reply, Request, Run, Server, answer};

fn usual() -> Content {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64", "linux/arm64"], "a");
    content
}

/// One image against a destination whose manifest under the tag is this reply.
fn against(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Run {
    let content = usual();
    let destination = Server::start(move |request| match &request.path {
        path if path.contains("/manifests/1") => reply(request),
        _ => answer(&content, request),
    });
    let source = Server::of(usual());
    let dir = Dir::new();
    let flags = format!(
        "-debug --retries 0 --timeout 3s -s {} -d {}",
        source.name(),
        destination.name()
    );
    let run = dir.validate().args(&flags).stdin("team/x team/x 1\n").run();
    run.has_not("internal error").has_not("does not exists");
    run
}

fn list() -> Vec<u8> {
    usual().find("team/x", "1").unwrap().bytes.clone()
}

#[test]
fn a_gzip_bomb_stops_at_the_limit() {
    // 8 MiB of zeros in 8 KiB, made by gzip itself.
    let bomb = std::process::Command::new("sh")
        .args(["-c", "head -c 8388608 /dev/zero | gzip -9"])
        .output()
        .expect("gzip")
        .stdout;
    assert!(bomb.len() < 20_000);
    let run = against(move |_| {
        Reply::new(200)
            .header("content-encoding", "gzip")
            .body(bomb.clone())
    });
    run.code(3).has("the response is larger than 4 MiB");
}

#[test]
fn a_truncated_gzip_stream_is_an_accident_on_the_way() {
    let run = against(|_| {
        Reply::new(200)
            .header("content-encoding", "gzip")
            .body(vec![0x1f, 0x8b, 8, 0, 0, 0])
    });
    run.code(3).has("NOT VALIDATED");
}

#[test]
fn another_encoding_is_refused() {
    against(|_| {
        Reply::new(200)
            .header("content-encoding", "br")
            .body(list())
    })
    .code(3)
    .has("the response has Content-Encoding br, which was not requested");
}

#[test]
fn endless_redirects_end() {
    let run = against(|request| {
        let next = request
            .path
            .split("n=")
            .nth(1)
            .and_then(|text| text.parse::<u32>().ok())
            .unwrap_or(0)
            + 1;
        Reply::new(302).header("location", format!("/v2/team/x/manifests/1?n={next}"))
    });
    run.code(3).has("302 Found: more than 10 redirects");
}

#[test]
fn headers_that_are_too_many_or_too_long() {
    let many = |_: &Request| {
        (0..200).fold(Reply::new(200), |reply, number| {
            reply.header(&format!("x-{number}"), "x")
        })
    };
    against(many).code(3).has("NOT VALIDATED");
    against(|_| Reply::new(200).header("x", "y".repeat(100_000)))
        .code(3)
        .has("NOT VALIDATED");
    against(|_| {
        Reply::new(200)
            .header("content-length", "5")
            .header("content-length", "6")
            .body("abcdef")
    })
    .code(3)
    .has("NOT VALIDATED");
}

#[test]
fn headers_that_are_no_text() {
    let run = against(|_| {
        let mut head = b"HTTP/1.1 200 OK\r\ncontent-length: ".to_vec();
        head.extend(list().len().to_string().bytes());
        head.extend(b"\r\ndocker-content-digest: \xff\xfe\r\nwarning: \xff\r\n\r\n");
        head.extend(list());
        Reply::new(200).how(How::Junk(head))
    });
    run.code(0).has("PASS");
    let run = against(|_| {
        let head = b"HTTP/1.1 401 \xff\r\nwww-authenticate: Bearer realm=\"\xff\xfe\"\r\ncontent-length: 0\r\n\r\n";
        Reply::new(401).how(How::Junk(head.to_vec()))
    });
    run.code(3).has("NOT VALIDATED");
}

#[test]
fn messages_cannot_control_the_terminal() {
    let run = against(|_| {
        Reply::error(
            500,
            "A\u{1b}[31m",
            "line\r\n12:00:00 [INFO] [M_ID:1] PASS \u{202e}",
        )
    });
    run.code(3)
        .has_not("\u{1b}")
        .has_not("\u{202e}")
        .has_not("\n12:00:00 [INFO] [M_ID:1] PASS")
        .has("\\u{1b}");
    assert!(
        run.log().iter().all(|line| line.starts_with('[')),
        "{:?}",
        run.log()
    );
}

#[test]
fn a_huge_message_is_cut() {
    let run = against(|_| Reply::new(500).body("x".repeat(1_000_000)));
    run.code(3);
    assert!(run.stdout.len() < 5_000, "{}", run.stdout.len());
}

#[test]
fn a_body_after_head_and_a_token_of_ten_megabytes() {
    let content = usual();
    let destination = Server::start(move |request| {
        let reply = answer(&content, request);
        if request.method == "HEAD" {
            reply.how(How::BodyOnHead)
        } else {
            reply
        }
    });
    let dir = Dir::new();
    dir.validate()
        .args(&format!(
            "-s {0} -d {1}",
            destination.name(),
            destination.alias()
        ))
        .stdin("team/x team/x 1\n".repeat(3))
        .run()
        .code(0)
        .has("3 passed");
    let server = Server::start(|request| {
        if request.path.starts_with("/token") {
            return Reply::new(200).body(format!("{{\"token\":\"{}\"}}", "x".repeat(10_000_000)));
        }
        Reply::error(401, "UNAUTHORIZED", "x").header("www-authenticate", "Bearer realm=\"/token\"")
    });
    let run = dir
        .validate()
        .args(&format!(
            "--retries 0 -s {0} -d {1}",
            server.name(),
            server.alias()
        ))
        .stdin("team/x team/x 1\n")
        .run();
    run.code(3).has("the response is larger than 512 KiB");
}

#[test]
fn deep_wide_and_ambiguous_documents() {
    let deep = format!(
        "{{\"schemaVersion\":2,\"manifests\":[{}{}]}}",
        "[".repeat(500_000),
        "]".repeat(500_000)
    );
    against(move |_| Reply::new(200).body(deep.clone()))
        .code(3)
        .has("damaged manifest: manifests[0] is not an object");
    let mut wide = String::from("{\"schemaVersion\":2,\"manifests\":[");
    for number in 0..9000 {
        let _ = write!(
            wide,
            "{}{{\"digest\":\"sha256:{number:064x}\"}}",
            if number == 0 { "" } else { "," }
        );
    }
    wide += "]}";
    // Nine thousand entries without platform that are not there, and none that is needed.
    let content = usual();
    let source = Server::of(usual());
    let destination = Server::start(move |request| match &request.path {
        path if path.ends_with("/manifests/1") => Reply::new(200)
            .header("content-type", LIST)
            .body(wide.clone()),
        _ => answer(&content, request),
    });
    let dir = Dir::new();
    let run = dir
        .validate()
        .args(&format!("-s {} -d {}", source.name(), destination.name()))
        .stdin("team/x team/x 1\n")
        .run();
    run.code(1).has("!= dest").has("only at the source");
    assert!(
        destination.requests().len() < 10_000,
        "each is asked for once"
    );
    let ambiguous =
        format!("{{\"schemaVersion\":2,\"mediaType\":\"{LIST}\",\"manifests\":[],\"Layers\":[]}}");
    against(move |_| Reply::new(200).body(ambiguous.clone()))
        .code(3)
        .has("ambiguous manifest: the document has the key \"Layers\", which some JSON readers treat as \"layers\"");
}
