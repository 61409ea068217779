//! Passwords and tokens never appear in log, errors and reports, even if a server repeats them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::support::{Content, Dir, Reply, Request, Run, Server, answer};

const PASSWORD: &str = "hun\"ter&2/x";

/// What an identity token is exchanged for.
const ISSUED: &str = "issued.token.0123456789";

fn content() -> Content {
    let mut content = Content::default();
    for repository in ["team/x", "team/y", "other/x"] {
        content.multi(repository, "1", &["linux/amd64"], "a");
    }
    content
}

/// What a server answers.
type Says = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

/// A registry and token server that says of every request what it was, in the body of this status.
fn telltale(status: u16, say: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request| match request.path.as_str() {
        "/v2/" => Reply::error(401, "UNAUTHORIZED", "log in")
            .header("www-authenticate", "Bearer realm=\"/token\",service=\"s\""),
        _ => Reply {
            status,
            ..say(request)
        },
    })
}

/// Everything that a run has written, but for the failed list.
fn written(dir: &Dir, run: &Run) -> String {
    let mut all = format!("{}{}", run.stdout, run.stderr);
    for name in [
        "r.json", "r.jsonl", "r.xml", "r.csv", "r.md", "r.html", "r.prom",
    ] {
        all += &std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    }
    all
}

const REPORTS: &str =
    "--report r.json --report r.jsonl --report r.xml --report r.csv --report r.md --report r.html";

#[test]
fn a_server_that_repeats_what_it_was_sent() {
    let header = |request: &Request| request.header("authorization").unwrap_or("").to_owned();
    let decoded = move |request: &Request| {
        let header = header(request);
        let pair = BASE64_STANDARD.decode(header.trim_start_matches("Basic "));
        String::from_utf8(pair.unwrap_or_default()).unwrap_or_default()
    };
    let says: [Says; 6] = [
        Box::new(move |request| Reply::error(0, "DENIED", &header(request))),
        Box::new(move |request| Reply::error(0, "DENIED", &decoded(request))),
        Box::new(move |request| Reply::new(0).body(format!("you are {}", decoded(request)))),
        Box::new(move |request| Reply::new(0).body(request.body.clone())),
        Box::new(move |request| {
            let inner = json!({"authorization": header(request), "pair": decoded(request)});
            Reply::error(0, "DENIED", &inner.to_string())
        }),
        Box::new(move |request| {
            let pair = decoded(request);
            Reply::new(0).header(
                "location",
                format!("ftp://{}", pair.replace(['"', '/'], "")),
            )
        }),
    ];
    let pair = BASE64_STANDARD.encode(format!("me:{PASSWORD}"));
    for (say, status) in says.into_iter().zip([401, 403, 400, 500, 404, 302]) {
        let server = telltale(status, say);
        for entry in [
            json!({"username": "me", "password": PASSWORD}),
            json!({"identitytoken": PASSWORD}),
            json!({"registrytoken": "hunter2.hunter2"}),
        ] {
            let dir = Dir::new();
            let file = json!({"auths": {server.name(): entry}});
            dir.write(".docker/config.json", file.to_string());
            let run = dir
                .validate()
                .args(&format!(
                    "-debug --retries 1 {REPORTS} -s {0} -d {0}",
                    server.name()
                ))
                .stdin("team/x team/y 1\n")
                .run();
            run.code(3);
            let all = written(&dir, &run);
            for secret in [
                "hunter",
                "ter&2",
                "ter&amp;2",
                "hun\\",
                "%262",
                pair.trim_end_matches('='),
            ] {
                assert!(!all.contains(secret), "{status} {entry}: {secret} in {all}");
            }
        }
    }
}

#[test]
fn a_registry_that_knows_the_password_from_its_token_server() {
    let content = content();
    let server = Server::start(move |request| {
        if request.path.starts_with("/token") {
            return Reply::new(200).body(json!({"token": ISSUED}).to_string());
        }
        match request.header("authorization") {
            Some(_) if request.path.contains("team/y") => {
                Reply::error(403, "DENIED", &format!("me:{PASSWORD} sent {ISSUED}"))
            }
            Some(_) => answer(&content, request),
            None => Reply::error(401, "UNAUTHORIZED", "log in")
                .header("www-authenticate", "Bearer realm=\"/token\""),
        }
    });
    let dir = Dir::new();
    let file = json!({"auths": {server.name(): {"username": "me", "password": PASSWORD}}});
    dir.write(".docker/config.json", file.to_string());
    let run = dir
        .validate()
        .args(&format!("-debug {REPORTS} -s {0} -d {0}", server.name()))
        .stdin("team/x team/y 1\n")
        .run();
    run.code(3)
        .has("403 Forbidden (DENIED: <redacted> sent <redacted>)");
    let all = written(&dir, &run);
    assert!(!all.contains("ter&") && !all.contains(ISSUED), "{all}");
}

#[test]
fn a_password_in_a_name_is_refused_and_not_shown() {
    let dir = Dir::new();
    for name in [
        "me:hunter2@reg.io",
        "https://me:hunter2@reg.io",
        "me:x\"hunter2@reg.io:5000/team",
        "me:x hunter2@reg.io",
        "me:x[hunter2@reg.io",
        "me:x@hunter2@reg.io",
        ":hunter2@reg.io",
        "me:hunter2@{registry}/{path}",
    ] {
        for flag in ["-s", "-d", "--insecure"] {
            let run = dir.validate().arg(flag).arg(name).run();
            run.code(2).one_error("invalid value");
            assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
        }
        for variable in ["SOURCE_REGISTRY", "DEST_REGISTRY"] {
            let run = dir.validate().env(variable, name).run();
            run.code(2).one_error(variable);
            assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
        }
    }
    let list = "me:hunter2@reg.io/x y 1\ny me:hunter2@reg.io/x 1\nhttps://me:hunter2@reg.io/x y 1\n\
                me:h\"hunter2@reg.io/x y 1\nme:hunter2@reg.io/x:1\nx y me:hunter2@reg.io\n\
                a b c d me:hunter2@reg.io/x\n";
    dir.write("list.txt", list);
    let yaml =
        "sync:\n- source: me:hunter2@reg.io/x:1\n  target: me:hunter2@reg.io/y:1\n  type: image\n";
    dir.write("list.yaml", yaml);
    for file in ["list.txt", "list.yaml"] {
        for typed in [false, true] {
            let command = dir.validate().args(&format!("-debug {REPORTS}"));
            let run = match typed {
                true => command.stdin(dir.read(file)).run(),
                false => command.args(&format!("-f {file}")).run(),
            };
            run.code(3);
            let all = written(&dir, &run);
            assert!(!all.contains("hunter2"), "{all}");
        }
    }
}

#[test]
fn a_rotated_identity_token_is_used_for_its_namespace_only() {
    let content = content();
    let server = Server::start(move |request| {
        if request.path.starts_with("/token") {
            let form = &request.body;
            let scope = form.split("scope=").nth(1).unwrap_or_default();
            let namespace = if scope.contains("team") {
                "team"
            } else {
                "other"
            };
            // Each is replaced by one of its own, and serves its namespace only.
            return match form.contains(&format!("refresh_token={namespace}-")) {
                true => Reply::new(200).body(
                    json!({"access_token": namespace, "refresh_token": format!("{namespace}-new"), "expires_in": 1})
                        .to_string(),
                ),
                false => Reply::error(401, "UNAUTHORIZED", "another namespace"),
            };
        }
        let namespace = request.path.split('/').nth(2).unwrap_or_default();
        match request.header("authorization") {
            Some(header) if header == format!("Bearer {namespace}") => answer(&content, request),
            _ => Reply::error(401, "UNAUTHORIZED", "log in")
                .header("www-authenticate", "Bearer realm=\"/token\",service=\"s\""),
        }
    });
    let dir = Dir::new();
    let name = server.name();
    let token = |namespace: &str| json!({"identitytoken": format!("{namespace}-old")});
    let file = json!({"auths": {
        format!("{name}/team"): token("team"), format!("{name}/other"): token("other"),
    }});
    dir.write(".docker/config.json", file.to_string());
    let run = dir
        .validate()
        .args(&format!("-f - -j 4 -s {name} -d {name}"))
        .stdin("team/x team/y 1\nother/x team/y 1\nteam/x other/x 1\nteam/y team/x 1\n".repeat(5))
        .run();
    run.code(0).has("20 passed");
}
