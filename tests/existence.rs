//! Manifests that the destination lists must exist as listed; failures have remedies.

use serde_json::{Value, json};

use crate::support::content::Stored;
use crate::support::{
    Content, Dir, INDEX, Internet, OCI, Registry, Reply, Run, Server, V2, answer, descriptor,
    digest, entry,
};

fn validate(source: &str, destination: &str, flags: &str) -> Run {
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    dir.validate()
        .args(&format!(
            "-f list.txt --retries 0 -s {source} -d {destination} {flags}"
        ))
        .run()
}

/// An index of two images under the tag 1, and the images.
fn usual() -> (Content, [Stored; 2]) {
    let mut content = Content::default();
    let amd64 = content.image("team/x", OCI, "linux/amd64", "a");
    let arm64 = content.image("team/x", OCI, "linux/arm64", "a");
    let entries = [entry(&amd64, "linux/amd64"), entry(&arm64, "linux/arm64")];
    content.index("team/x", Some("1"), INDEX, &entries);
    (content, [amd64, arm64])
}

#[test]
fn a_child_that_head_confirms_and_get_does_not_find_is_missing() {
    let (content, [_, arm64]) = usual();
    let source = Server::of(content.clone());
    let name = digest(&arm64.bytes);
    let path = format!("/manifests/{name}");
    let destination = Server::start(move |request| {
        match request.method == "GET" && request.path.ends_with(&path) {
            true => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            false => answer(&content, request),
        }
    });
    for flags in ["", "--deep"] {
        validate(&source.name(), &destination.name(), flags)
            .code(1)
            .has(&format!(
                "[ERRO] [M_ID:1] linux/arm64: not at the destination: {name}\n"
            ))
            .has(&format!(
                "[ERRO] [M_ID:1] failed to inspect dest image: [docker://{}/team/x@{name}]\n",
                destination.name()
            ));
    }
    assert_eq!(destination.count("HEAD", ""), 0);
}

#[test]
fn another_manifest_in_place_of_a_child_is_not_that_child() {
    let (content, [amd64, arm64]) = usual();
    let source = Server::of(content.clone());
    let path = format!("/manifests/{}", digest(&arm64.bytes));
    let destination = Server::start(move |request| match request.path.ends_with(&path) {
        true => Reply::new(200).body(amd64.bytes.clone()),
        false => answer(&content, request),
    });
    validate(&source.name(), &destination.name(), "")
        .code(3)
        .has("the registry returned a different manifest (digest");
}

#[test]
fn children_at_docker_hub_are_requested_with_head() {
    let mut hub = Content::default();
    hub.multi("library/x", "1", &["linux/amd64", "linux/arm64"], "a");
    let mut source = Content::default();
    source.multi("x", "1", &["linux/amd64", "linux/arm64"], "a");
    let internet = Internet::new()
        .host("source.test", move |request| answer(&source, request))
        .host("registry-1.docker.io", move |request| answer(&hub, request));
    internet
        .validate()
        .stdin("source.test/x docker.io/library/x 1\n")
        .run()
        .code(0);
    let requests = internet.requests("registry-1.docker.io");
    let of_children = requests
        .iter()
        .filter(|request| request.path.contains("/manifests/sha256:"));
    let methods: Vec<&str> = of_children.map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["HEAD", "HEAD"]);
}

#[test]
fn a_wrong_size_fails_where_the_source_has_it_right() {
    let (content, [amd64, arm64]) = usual();
    let with = |size: &Value| {
        let mut content = content.clone();
        let mut entries = [entry(&amd64, "linux/amd64"), entry(&arm64, "linux/arm64")];
        entries[1]["size"] = size.clone();
        content.index("team/x", Some("1"), INDEX, &entries);
        Registry::of(&content)
    };
    let length = arm64.bytes.len();
    let (right, wrong) = (with(&json!(length)), with(&json!(length + 1)));
    let line = format!(
        "linux/arm64: the list has the size {}, but the manifest {} has {length} bytes; containerd cannot pull this image",
        length + 1,
        digest(&arm64.bytes)
    );
    for flags in ["", "--deep"] {
        validate(&right.name(), &wrong.name(), flags)
            .code(1)
            .has(&format!("[ERRO] [M_ID:1] {line}\n"))
            .has(&format!(
                "[ERRO] [M_ID:1] [{}/team/x:1]: destination manifest list has a wrong size for {}\n",
                wrong.name(),
                digest(&arm64.bytes)
            ));
        validate(&wrong.name(), &wrong.alias(), flags)
            .code(0)
            .has("PASS")
            .has(&format!(
                "[WARN] [M_ID:1] [{}/team/x:1]: {line}; the source has the same wrong size\n",
                wrong.alias()
            ));
    }
    // A wrong size that the source does not have is another one.
    validate(&with(&json!(7)).name(), &wrong.name(), "")
        .code(1)
        .has("destination manifest list has a wrong size");
    // The destination is better than its source, or says nothing.
    for destination in [&right, &with(&Value::Null)] {
        validate(&wrong.name(), &destination.name(), "")
            .code(0)
            .has("PASS")
            .has_not("[WARN] [M_ID");
    }
}

#[test]
fn indexes_nested_deeper_than_four_levels_are_not_validated() {
    let mut content = Content::default();
    let image = content.image("team/x", OCI, "linux/amd64", "a");
    let index = content.index("team/x", None, INDEX, &[entry(&image, "linux/amd64")]);
    let inner = content.nest("team/x", index, 4);
    content.tag("team/x", "1", &inner);
    let both = Registry::of(&content);
    validate(&both.name(), &both.alias(), "")
        .code(0)
        .has("PASS");
    // A child of the deepest index that is lost is seen.
    let lost = Registry::of(&content);
    lost.delete("team/x", &digest(&image.bytes));
    validate(&both.name(), &lost.name(), "")
        .code(1)
        .has("linux/amd64: not at the destination: ");
    let fifth = content.index("team/x", None, INDEX, &[descriptor(&inner)]);
    content.tag("team/x", "1", &fifth);
    let both = Registry::of(&content);
    validate(&both.name(), &both.alias(), "")
        .code(3)
        .has("the indexes are nested more than 4 levels deep");
}

#[test]
fn a_bare_image_names_the_flag_that_accepts_it() {
    let (content, _) = usual();
    let mut bare = Content::default();
    let image = bare.image("team/x", V2, "linux/amd64", "a");
    bare.tag("team/x", "1", &image);
    let (source, destination) = (Server::of(content), Server::of(bare));
    validate(&source.name(), &destination.name(), "")
        .code(1)
        .has(
            "use --allow-single to accept it, or copy the whole manifest list (`skopeo copy --all`",
        )
        .has(&format!("destination manifest MIME type unknow: {V2}\n"));
}

#[test]
fn a_missing_image_of_a_proxy_cache_names_its_library_image() {
    let mut content = Content::default();
    content.multi("cache/library/x", "1", &["linux/amd64"], "a");
    content.multi("mirror/x", "1", &["linux/amd64"], "a");
    content.multi("mirror/library/x", "1", &["linux/amd64"], "a");
    let both = Registry::of(&content);
    let run = |line: &str, flags: &str| {
        Dir::new()
            .validate()
            .args(&format!("{flags} -s {}/cache", both.name()))
            .stdin(line)
            .run()
    };
    let hint = "; in a proxy cache of Docker Hub the name is cache/library/x: write library/x in the list\n";
    let destination = format!("-d {}/mirror", both.name());
    run("x x 1\n", &destination)
        .code(3)
        .has("source manifest does not exist: ")
        .has(hint);
    run("library/x library/x 1\n", &destination).code(0);
    run("x x 1\n", "--record s.json").code(3).has(hint);
    // A name that has a project is what it is.
    run("team/x x 1\n", &destination)
        .code(3)
        .has("source manifest does not exist: ")
        .has_not("proxy cache");
    // Without a prefix there is no cache.
    Dir::new()
        .validate()
        .args(&format!("-s {0} -d {0}", both.name()))
        .stdin("x mirror/x 1\n")
        .run()
        .code(3)
        .has_not("proxy cache");
}
