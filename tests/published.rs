//! `--recorded` with digests that a vendor publishes: they identify a source's manifest, but do not list its
//! images.

use serde_json::{Value, json};

use crate::support::{Content, Dir, INDEX, LIST, OCI, Run, Server, V2, digest, entry};

/// Where nobody listens.
const NOWHERE: &str = "localhost:9";

const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// Sources and destinations `team/x`, and the published digest of each tag.
fn sides() -> (Content, Content, Vec<(&'static str, String)>) {
    let mut both = Content::default();
    let images = BOTH.map(|on| both.image("team/x", V2, on, "a"));
    let lost = both.image("team/x", V2, "linux/amd64", "lost");
    let other = both.image("team/x", V2, "linux/arm64", "b");
    let list = [entry(&images[0], BOTH[0]), entry(&images[1], BOTH[1])];
    let single = both.image("team/x", OCI, "linux/arm64", "single");
    let (mut source, mut destination) = (both.clone(), both);
    let mut published = Vec::new();
    let annotated = |tag: &str| {
        let mut list = list.clone();
        list[0]["annotations"] = json!({"of": tag});
        list
    };
    let mut put = |tag: &'static str, right: Option<(&str, &[Value])>| {
        let own = source.index("team/x", Some(tag), LIST, &annotated(tag));
        published.push((tag, digest(&own.bytes)));
        if let Some((media_type, entries)) = right {
            destination.index("team/x", Some(tag), media_type, entries);
        }
        own
    };
    put("equal", Some((LIST, &annotated("equal"))));
    put("rebuilt", Some((INDEX, &list)));
    put(
        "other",
        Some((INDEX, &[list[0].clone(), entry(&other, BOTH[1])])),
    );
    put("missing", None);
    put("empty", Some((LIST, &[])));
    let beside = put("beside", Some((INDEX, &list)));
    let kept = put("beside-other", Some((INDEX, &list[..1])));
    for stored in [&beside, &kept] {
        destination.tag("team/x", &digest(&stored.bytes), stored);
    }
    let whole = [list[0].clone(), entry(&lost, "linux/s390x")];
    let incomplete = source.index("team/x", Some("incomplete"), LIST, &whole);
    destination.tag("team/x", "incomplete", &incomplete);
    destination.remove("team/x", &digest(&lost.bytes));
    published.push(("incomplete", digest(&incomplete.bytes)));
    for tag in ["bare", "wrapped"] {
        source.tag("team/x", tag, &single);
        published.push((tag, digest(&single.bytes)));
    }
    destination.tag("team/x", "bare", &single);
    destination.index(
        "team/x",
        Some("wrapped"),
        INDEX,
        &[entry(&single, "linux/arm64")],
    );
    let old = source.schema1("team/x", "schema1", "linux/amd64", false);
    destination.tag("team/x", "schema1", &old);
    published.push(("schema1", digest(&old.bytes)));
    (source, destination, published)
}

/// A run over the images of these tags, whose sources are at `host`.
fn run(dir: &Dir, host: &str, destination: &Server, tags: &[&str], flags: &str) -> Run {
    let lines = tags
        .iter()
        .map(|tag| format!("{host}/team/x {}/team/x {tag}\n", destination.name()));
    dir.write("list.txt", lines.collect::<String>());
    dir.validate()
        .args("-f list.txt --recorded digests.txt --retries 0")
        .args(flags)
        .run()
}

fn write_digests(dir: &Dir, host: &str, published: &[(&str, String)]) {
    let lines = published
        .iter()
        .map(|(tag, digest)| format!("{host}/team/x:{tag} {digest}\n"));
    dir.write("digests.txt", lines.collect::<String>());
}

#[test]
fn a_destination_with_the_published_digest_passes_for_any_selection() {
    let (_, destination, published) = sides();
    let destination = Server::of(destination);
    let dir = Dir::new();
    write_digests(&dir, NOWHERE, &published);
    for flags in ["", "-a s390x", "-a arm64 --deep", "--os windows"] {
        // Schema 1 and bare images are what the vendor published, too.
        let tags: &[&str] = match flags {
            "" | "-a s390x" => &["equal", "bare", "schema1"],
            _ => &["equal", "bare"],
        };
        let run = run(&dir, NOWHERE, &destination, tags, flags);
        run.code(0).has(&format!(
            "PASS [{NOWHERE}/team/x:equal] == [{}/team/x:equal]",
            destination.name()
        ));
    }
    // What is selected of it has to be there; where nothing is, all of it.
    run(&dir, NOWHERE, &destination, &["incomplete"], "-a amd64").code(0);
    for arch in ["s390x", "riscv64"] {
        run(
            &dir,
            NOWHERE,
            &destination,
            &["incomplete"],
            &format!("-a {arch}"),
        )
        .code(1)
        .has("failed to inspect dest image: [docker://");
    }
    // What is asked for in so many words is not there.
    run(
        &dir,
        NOWHERE,
        &destination,
        &["equal"],
        "-a amd64,s390x --require-arch",
    )
    .code(1);
}

#[test]
fn another_digest_is_no_failure_unless_the_source_can_be_read() {
    let (source, destination, published) = sides();
    let (source, destination) = (Server::of(source), Server::of(destination));
    let dir = Dir::new();
    write_digests(&dir, NOWHERE, &published);
    let of = |tag: &str| {
        let mut known = published.iter();
        known.find(|(name, _)| *name == tag).unwrap().1.clone()
    };
    for tag in ["rebuilt", "other"] {
        run(&dir, NOWHERE, &destination, &[tag], "--report report.json")
            .code(3)
            .has(&format!("NOT VALIDATED [{NOWHERE}/team/x:{tag}]"))
            .has(&format!(
                "is not {:?} of digests.txt; a list of digests is not enough to compare the images\n",
                of(tag)
            ))
            .has("the source could not be read: ")
            .has("--record");
        assert!(
            dir.read("report.json")
                .contains("\"code\":\"not-recorded\"")
        );
    }
    // The destination has what was published: by its digest, or in its index.
    run(&dir, NOWHERE, &destination, &["beside", "wrapped"], "").code(0);
    run(&dir, NOWHERE, &destination, &["beside-other"], "")
        .code(1)
        .has("source manifest \"");
    for (tag, message) in [
        ("missing", "destination manifest does not exists"),
        ("empty", "destination manifest list is empty"),
    ] {
        // An empty index cannot be what was published; without the source, that is not known.
        let code = if tag == "missing" { 1 } else { 3 };
        let run = run(&dir, NOWHERE, &destination, &[tag], "");
        run.code(code);
        if code == 1 {
            run.has(message);
        }
    }
    let host = source.alias();
    write_digests(&dir, &host, &published);
    run(&dir, &host, &destination, &["rebuilt", "wrapped"], "").code(0);
    run(&dir, &host, &destination, &["other"], "")
        .code(1)
        .has("source manifest \"")
        .has("linux/arm64: other digest: source sha256:");
    run(&dir, &host, &destination, &["empty"], "")
        .code(1)
        .has("destination manifest list is empty");
}

#[test]
fn a_moved_source_tag_is_reported() {
    let (mut source, destination, published) = sides();
    source.remove("team/x", "rebuilt");
    let moved = source.index("team/x", Some("rebuilt"), LIST, &[]);
    let (source, destination) = (Server::of(source), Server::of(destination));
    let host = source.alias();
    let dir = Dir::new();
    write_digests(&dir, &host, &published);
    run(&dir, &host, &destination, &["rebuilt"], "")
        .code(3)
        .has(&format!(
            "the source's tag has moved to {}, and ",
            digest(&moved.bytes)
        ))
        .has("a list of digests is not enough to compare the images");
}

#[test]
fn every_form_of_published_digests_is_read() {
    let (_, destination, published) = sides();
    let destination = Server::of(destination);
    let dir = Dir::new();
    let of = |tag: &str| &published.iter().find(|(name, _)| *name == tag).unwrap().1;
    let equal = of("equal");
    let to = destination.name();
    let validate = |list: &str, digests: &str, flags: &str| {
        dir.write("list.txt", list);
        dir.write("digests.txt", digests);
        dir.validate()
            .args("-f list.txt --recorded digests.txt --retries 0")
            .args(flags)
            .run()
    };
    let line = format!("team/x {to}/team/x equal\n");
    for digests in [
        format!("# x\nteam/x:equal {equal}\n"),
        format!("docker.io/team/x:equal {equal}\r\n"),
        format!("{equal} docker://docker.io/team/x:equal\n"),
        format!("- team/x:equal@{equal}\n"),
        format!("images:\n- image: index.docker.io/team/x:equal@{equal}\nkind: ImagesLock\n"),
    ] {
        validate(&line, &digests, "").code(0).has("1 passed");
    }
    // By digest, as an ImagesLock has it: the same file may be the list.
    let lock = format!("kind: ImagesLock\nimages:\n- image: docker.io/team/x@{equal}\n");
    validate(&lock, &lock, &format!("-d {to}")).code(0);
    validate(&line, &lock, "")
        .code(3)
        .has("[docker.io/team/x:equal]: digests.txt has the name with a digest but without a tag");
    // -s replaces the registry of the digests' names, too.
    let digests = format!("quay.io/team/x:equal {equal}\n");
    validate(
        "quay.io/team/x:equal\n",
        &digests,
        &format!("-s localhost:9 -d {to}"),
    )
    .code(0);
    // What is not in it.
    validate("team/y:1\n", &digests, &format!("-d {to}"))
        .code(3)
        .has("[docker.io/team/y:1]: not in digests.txt; the file has images of quay.io: use the same registry in the list or in -s");
    let other = of("other");
    validate(
        &line,
        &format!("team/x:equal {equal}\nteam/x:equal {other}\n"),
        "",
    )
    .code(3)
    .has("digests.txt has 2 digests for this image; keep only one of them in the file");
    // Half a list of digests is none.
    let run = validate(&line, &format!("team/x:equal {equal}\nteam/y:1\n"), "");
    run.code(2).error("image-tools: cannot read the list of digests: digests.txt:2: the line has no digest; write NAME:TAG sha256:HEX\n");
    let run = validate(&line, "team/x:equal\n", "");
    run.code(2);
    assert!(run.stderr.contains("digests.txt is not a recording"));
    // Referrers are not in it.
    validate(&line, &format!("team/x:equal {equal}\n"), "--referrers")
        .code(3)
        .has("digests.txt has no referrers; use --record with --referrers");
}

#[test]
fn a_recording_printed_as_digests_is_taken_again() {
    let (source, destination, _) = sides();
    let (source, destination) = (Server::of(source), Server::of(destination));
    let dir = Dir::new();
    let tags = ["equal", "bare", "rebuilt"];
    let lines = tags.map(|tag| {
        format!(
            "{}/team/x {}/team/x {tag}\n",
            source.alias(),
            destination.name()
        )
    });
    dir.write("list.txt", lines.concat());
    dir.validate()
        .args("-f list.txt --record sources.json")
        .run()
        .code(0);
    let printed = dir.program().args("list --digests sources.json").run();
    dir.write("digests.txt", &printed.code(0).stdout);
    let before = source.requests().len();
    run(&dir, &source.alias(), &destination, &["equal", "bare"], "").code(0);
    assert_eq!(source.requests().len(), before, "the sources are not read");
    run(&dir, &source.alias(), &destination, &["rebuilt"], "").code(0);
    assert!(source.requests().len() > before);
}
