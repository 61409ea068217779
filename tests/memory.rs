//! Limits of the memory that hostile registries and token servers can make the program use.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::{Dir, LIST, Reply, Request, Server};

/// The most memory of a run, in MiB, with all of this on 20 threads.
const MOST: u64 = 150;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A document of at most so many bytes that is mostly one small part.
fn filled(length: usize, before: &str, part: &str, after: &str) -> Vec<u8> {
    let times = (length - before.len() - after.len()) / part.len();
    let mut text = format!("{before}{}", part.repeat(times));
    if text.ends_with(',') {
        text.pop();
    }
    (text + after).into_bytes()
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .arg("-9")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip");
    let mut stdin = gzip.stdin.take().expect("a pipe");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = gzip.wait_with_output().expect("its output");
    writer.join().expect("a writer").expect("written");
    output.stdout
}

/// Manifests that are large in memory, or that have a lot to say.
fn manifests() -> Vec<Vec<u8>> {
    let small = r#"{"":{"":0}},"#;
    let entries = format!(
        r#"{{"digest":"sha256:{}","size":1,"platform":{{"os":"linux","architecture":"amd64"}}}},"#,
        "a".repeat(64)
    );
    let platform = format!(
        r#"{{"schemaVersion":2,"mediaType":"{LIST}","manifests":[{{"mediaType":"x","size":1,"digest":"sha256:{}","platform":{{"os":"linux","architecture":""#,
        "a".repeat(64)
    );
    [
        filled(4 * MIB, r#"{"schemaVersion":2,"x":["#, small, "]}"),
        filled(4 * MIB, r#"{"schemaVersion":2,"manifests":["#, small, "]}"),
        filled(
            4 * MIB,
            r#"{"schemaVersion":2,"annotations":{"a":["#,
            small,
            "]}}",
        ),
        filled(
            4 * MIB,
            r#"{"schemaVersion":2,"manifests":["#,
            &entries,
            "]}",
        ),
        filled(3 * MIB, &platform, "x", r#""}}]}"#),
        filled(3 * MIB, r#"{"schemaVersion":2,"mediaType":""#, "x", r#""}"#),
        filled(4 * MIB, r#"{"schemaVersion":2,"config":"#, "[", ""),
    ]
    .iter()
    .map(|bytes| zipped(bytes))
    .collect()
}

/// A registry, and its token server, that does all of this.
fn hostile() -> Server {
    let manifests = manifests();
    let errors = filled(64 * KIB, r#"{"errors":["#, r#"{"":{"":0}},"#, "]}");
    let answer = filled(1024 * KIB, r#"{"x":["#, r#"{"":{"":0}},"#, "]}");
    let count = AtomicUsize::new(0);
    let number = |request: &Request| {
        // Identity tokens are exchanged in forms.
        let digits = request.body.split("team%2Fx").nth(1);
        let digits: String = digits
            .unwrap_or_default()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse::<usize>().unwrap_or_default()
    };
    Server::start(move |request| {
        let call = count.fetch_add(1, Ordering::Relaxed);
        let long = |length: usize| format!("{call:08}{}", "x".repeat(length - 8));
        if request.path.starts_with("/token") {
            let body = match number(request) % 4 {
                0 => json!({"token": long(1000 * KIB)}).to_string().into_bytes(),
                1 => answer.clone(),
                _ => json!({"access_token": long(50 * KIB), "refresh_token": long(128 * KIB)})
                    .to_string()
                    .into_bytes(),
            };
            return Reply::new(200).body(body);
        }
        if request.header("authorization").is_none() {
            let realm = format!("/token?{}", "y".repeat(7 * KIB));
            return Reply::error(401, "UNAUTHORIZED", "log in").header(
                "www-authenticate",
                format!("Bearer realm=\"{realm}\",service=\"{call}\""),
            );
        }
        match call % 10 {
            0 => Reply::new(404).body(errors.clone()),
            1 => Reply::error(404, "MANIFEST_UNKNOWN", &long(60 * KIB)),
            _ => Reply::new(200)
                .header("content-type", LIST)
                .header("content-encoding", "gzip")
                .body(manifests[call % manifests.len()].clone()),
        }
    })
}

#[test]
fn hostile_registries_cost_little_memory_on_twenty_threads() {
    let server = hostile();
    let dir = Dir::new();
    let mut list = String::new();
    for number in 0..80 {
        let _ = writeln!(list, "team/x{number} team/x{number} 1");
    }
    dir.write("list.txt", list.repeat(2));
    let entry = |secret: &str| json!({"identitytoken": secret});
    let file = json!({"auths": {server.name(): entry("one"), server.alias(): entry("two")}});
    dir.write(".docker/config.json", file.to_string());
    // A child of this process would inherit its peak, so a small process measures.
    let measure = "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); \
                   print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let flags = format!(
        "mirror-validate -f list.txt -j 20 -q --retries 0 --report r.json -s {} -d {}",
        server.name(),
        server.alias()
    );
    let output = Command::new("/usr/bin/python3")
        .args(["-c", measure, env!("CARGO_BIN_EXE_image-tools")])
        .args(flags.split(' '))
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        // glibc keeps for each thread what was freed, where the static file's allocator returns it.
        .env("MALLOC_MMAP_THRESHOLD_", "131072")
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stdout);
    assert!(log.contains("160 images: 0 passed"), "{log}");
    let used: u64 = log.lines().last().unwrap().trim().parse().unwrap();
    let used = used / 1024;
    assert!((10..MOST).contains(&used), "{used} MiB");
}
