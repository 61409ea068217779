//! `--referrers`: the destination must have the signatures, SBOMs and attestations of the source.

use serde_json::{Value, json};

use crate::support::content::Stored;
use crate::support::{
    Content, Dir, INDEX, OCI, Registry, Reply, Request, Run, Server, answer, digest, entry,
};

const SIGNATURE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
const SBOM: &str = "application/spdx+json";

/// An index of two images, and its first image.
fn index(content: &mut Content) -> (Stored, Stored) {
    let amd64 = content.image("team/x", OCI, "linux/amd64", "a");
    let arm64 = content.image("team/x", OCI, "linux/arm64", "a");
    let entries = [entry(&amd64, "linux/amd64"), entry(&arm64, "linux/arm64")];
    let index = content.index("team/x", Some("1"), INDEX, &entries);
    (index, amd64)
}

/// cosign's tag of a manifest.
fn tag(stored: &Stored, suffix: &str) -> String {
    digest(&stored.bytes).replace(':', "-") + suffix
}

fn validate(source: &str, destination: &str, flags: &str) -> Run {
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    dir.validate()
        .args(&format!(
            "-f list.txt --retries 0 -j 4 -s {source} -d {destination} {flags}"
        ))
        .run()
}

#[test]
fn all_referrers_must_be_at_the_destination() {
    // Everything that there is, at once: tags on the index and on an image, referrers of both, an
    // attestation in the index.
    let mut content = Content::default();
    let amd64 = content.image("team/x", OCI, "linux/amd64", "a");
    let attestation = content.image("team/x", OCI, "unknown/unknown", "attestation");
    let mut in_index = entry(&attestation, "unknown/unknown");
    in_index["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": digest(&amd64.bytes),
    });
    let entries = [entry(&amd64, "linux/amd64"), in_index];
    let index = content.index("team/x", Some("1"), INDEX, &entries);
    let signature = content.attach("team/x", &index, SIGNATURE);
    let sbom = content.attach("team/x", &amd64, SBOM);
    content.referrers_tag("team/x", &index, &[&signature]);
    content.referrers_tag("team/x", &amd64, &[&sbom]);
    for (stored, suffix) in [(&index, ".sig"), (&amd64, ".att"), (&amd64, ".sbom")] {
        let other = content.image("team/x", OCI, "linux/amd64", suffix);
        content.tag("team/x", &tag(stored, suffix), &other);
    }
    let source = Registry::of(&content);
    let whole = Registry::of(&content);
    validate(&source.name(), &whole.name(), "--referrers")
        .code(0)
        .has("PASS");

    let of_index = format!("the source {}", digest(&index.bytes));
    let of_amd64 = format!("linux/amd64 {}", digest(&amd64.bytes));
    let name = |suffix: &str, stored: &Stored| {
        digest(&content.find("team/x", &tag(stored, suffix)).unwrap().bytes)
    };
    let untagged = "present, but without its tag: push the tag";
    let unlisted = "present, but not listed: push the list, not the signature";
    let tagged = |stored: &Stored, suffix: &str, of: &str| {
        let (tag, name) = (tag(stored, suffix), name(suffix, stored));
        let text = format!("tag {tag} {name} of {of}");
        (tag, name, text, untagged)
    };
    let listed = |subject: &Stored, stored: &Stored, kind: &str, of: &str| {
        let name = digest(&stored.bytes);
        let text = format!("referrer {name} ({kind}) of {of}");
        (tag(subject, ""), name, text, unlisted)
    };
    for (leading, name, text, found) in [
        tagged(&index, ".sig", &of_index),
        tagged(&amd64, ".att", &of_amd64),
        tagged(&amd64, ".sbom", &of_amd64),
        listed(&index, &signature, SIGNATURE, &of_index),
        listed(&amd64, &sbom, SBOM, &of_amd64),
    ] {
        let mut without = content.clone();
        without.remove("team/x", &leading);
        for what in [found, "not at the destination"] {
            let destination = Registry::of(&without);
            validate(&source.name(), &destination.name(), "").code(0);
            validate(&source.name(), &destination.name(), "--referrers")
                .code(1)
                .has(&format!("[ERRO] [M_ID:1] {text}: {what}\n"))
                .has("[ERRO] [M_ID:1] 1 of 6 referrers of the source are not at the destination\n");
            without.remove("team/x", &name);
        }
    }

    // The mirror's index has the image only.
    let mut without = content.clone();
    without.remove("team/x", "1");
    without.index("team/x", Some("1"), INDEX, &entries[..1]);
    let destination = Registry::of(&without);
    validate(&source.name(), &destination.name(), "--referrers")
        .code(1)
        .has(&format!(
            "attestation {} of {of_amd64}: present, but not listed: push the index with its attestations, not the attestation alone",
            digest(&attestation.bytes)
        ));

    // Listed, and not there.
    let destination = Registry::of(&content);
    destination.delete("team/x", &digest(&sbom.bytes));
    validate(&source.name(), &destination.name(), "--referrers")
        .code(1)
        .has(&format!(
            "referrer {} ({SBOM}) of {of_amd64}: listed at the destination, but missing",
            digest(&sbom.bytes)
        ));

    // Another signature under the tag.
    let mut other = content.clone();
    let signed = other.image("team/x", OCI, "linux/amd64", "signed again");
    other.tag("team/x", &tag(&index, ".sig"), &signed);
    let destination = Registry::of(&other);
    validate(&source.name(), &destination.name(), "--referrers")
        .code(1)
        .has(&format!(
            "of {of_index}: the destination has {} instead",
            digest(&signed.bytes)
        ));

    // What is attached to a platform that is not validated does not matter.
    let mut without = content.clone();
    without.remove("team/x", &tag(&amd64, ".att"));
    let mut source = content.clone();
    let arm = source.image("team/x", OCI, "linux/arm/v7", "a");
    source.tag("team/x", &tag(&arm, ".sig"), &signature);
    source.index(
        "team/x",
        Some("2"),
        INDEX,
        &[entry(&arm, "linux/arm/v7"), entry(&amd64, "linux/amd64")],
    );
    without.index("team/x", Some("2"), INDEX, &[entry(&amd64, "linux/amd64")]);
    let (source, destination) = (Server::of(source), Server::of(without));
    let dir = Dir::new();
    dir.validate()
        .args(&format!(
            "--referrers -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .stdin("team/x team/x 2\n")
        .run()
        .code(1)
        .has_not("arm/v7")
        .has(".att sha256:");
}

#[test]
fn with_deep_the_blobs_of_referrers_are_checked_too() {
    let mut content = Content::default();
    let (index, amd64) = index(&mut content);
    let signature = content.attach("team/x", &index, SIGNATURE);
    // An index can be attached as well; it has no blobs of its own.
    let list = content.index("team/x", None, INDEX, &[entry(&amd64, "linux/amd64")]);
    content.referrers_tag("team/x", &index, &[&signature, &list]);
    let source = Server::of(content.clone());
    let destination = Registry::of(&content);
    let flags = "--referrers --deep=full";
    validate(&source.name(), &destination.name(), flags).code(0);
    let manifest: Value = serde_json::from_slice(&signature.bytes).unwrap();
    let blob = manifest["layers"][0]["digest"].as_str().unwrap();
    std::fs::remove_file(destination.file(blob)).unwrap();
    validate(&source.name(), &destination.name(), "--deep=full").code(0);
    validate(&source.name(), &destination.name(), flags)
        .code(1)
        .has(&format!(
            "team/x@{}: layer {blob} of ",
            digest(&signature.bytes)
        ))
        .has("bytes is missing at the destination");
}

#[test]
fn without_referrers_the_destination_is_not_contacted() {
    let mut content = Content::default();
    index(&mut content);
    let (source, destination) = (Server::of(content.clone()), Server::of(content));
    validate(&source.name(), &destination.name(), "--referrers").code(0);
    // The manifest and two images, as always, and the probes.
    let asked: Vec<Request> = destination.requests();
    let asked: Vec<&str> = asked
        .iter()
        .map(|request| request.path.as_str())
        .filter(|path| path.contains("/manifests/") || path.contains("/referrers/"))
        .collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    // For the index and two images: the list, the tag in its place, and cosign's three.
    assert_eq!(source.count("GET", "/referrers/"), 3);
    assert_eq!(source.count("GET", "/manifests/sha256-"), 12);
    assert_eq!(source.count("HEAD", ""), 0);
}

#[test]
fn referrers_are_read_page_by_page() {
    let mut content = Content::default();
    let (index, amd64) = index(&mut content);
    let kinds = [SIGNATURE, SBOM, "application/vnd.example+json"];
    let attached: Vec<Stored> = kinds
        .iter()
        .map(|kind| content.attach("team/x", &index, kind))
        .collect();
    content.attach("team/x", &amd64, SBOM);
    content.lists_referrers = true;
    // One referrer a page.
    let paged = |content: Content, link: fn(&str, usize) -> String| {
        move |request: &Request| {
            if !request.path.contains("/referrers/") {
                return answer(&content, request);
            }
            assert_eq!(request.header("accept"), Some(INDEX));
            let (path, page) = request
                .path
                .split_once("?page=")
                .unwrap_or((&request.path, "0"));
            let page: usize = page.parse().unwrap();
            let subject = path.rsplit('/').next().unwrap();
            let all = content.referrers("team/x", subject);
            let some: Vec<&Value> = all.iter().skip(page).take(1).collect();
            let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": some});
            let reply = Reply::new(200)
                .header("content-type", format!("{INDEX}; charset=utf-8"))
                .body(list.to_string());
            if page + 1 < all.len() {
                reply.header("link", link(path, page + 1))
            } else {
                reply
            }
        }
    };
    let own: fn(&str, usize) -> String = |path, page| format!("<{path}?page={page}>; rel=\"next\"");
    let source = Server::start(paged(content.clone(), own));
    let whole = Server::start(paged(content.clone(), own));
    validate(&source.name(), &whole.name(), "--referrers").code(0);
    assert_eq!(source.count("GET", "?page="), 2);
    // No tag in place of a list is asked for.
    let in_place = format!("/manifests/{}", tag(&index, ""));
    assert!(
        !source
            .requests()
            .iter()
            .any(|request| request.path.ends_with(&in_place))
    );

    let mut without = content.clone();
    let last = digest(&attached[2].bytes);
    without.remove("team/x", &last);
    let destination = Server::start(paged(without, own));
    validate(&source.name(), &destination.name(), "--referrers")
        .code(1)
        .has(&format!("referrer {last} ({}) of the source", kinds[2]))
        .has("1 of 4 referrers of the source are not at the destination");

    // A destination that does not make lists has them under the tag.
    let mut tagged = content.clone();
    tagged.lists_referrers = false;
    let all: Vec<&Stored> = attached.iter().collect();
    tagged.referrers_tag("team/x", &index, &all);
    let sbom = content.referrers("team/x", &digest(&amd64.bytes));
    let sbom = content
        .find("team/x", sbom[0]["digest"].as_str().unwrap())
        .unwrap()
        .clone();
    tagged.referrers_tag("team/x", &amd64, &[&sbom]);
    let destination = Registry::of(&tagged);
    validate(&source.name(), &destination.name(), "--referrers").code(0);

    // A list that goes on at somebody else's.
    let elsewhere: fn(&str, usize) -> String =
        |path, page| format!("<http://127.0.0.1:1{path}?page={page}>; rel=\"next\"");
    let source = Server::start(paged(content, elsewhere));
    validate(&source.name(), &whole.name(), "--referrers")
        .code(3)
        .has("does not lead to this registry");
}

#[test]
fn a_registry_without_the_referrers_api_is_distinguished_from_one_that_denies_access() {
    let mut content = Content::default();
    let (index, _) = index(&mut content);
    let signature = content.attach("team/x", &index, SIGNATURE);
    content.referrers_tag("team/x", &index, &[&signature]);
    let destination = Server::of(content.clone());
    let elsewhere = Server::start(|_| {
        Reply::new(404)
            .header("content-type", "text/html")
            .body("<html>not found</html>")
    });
    let source = |reply: Reply| {
        let content = content.clone();
        Server::start(move |request| match request.path.contains("/referrers/") {
            true => reply.clone(),
            false => answer(&content, request),
        })
    };
    for reply in [
        Reply::new(404),
        Reply::new(404)
            .header("content-type", "text/html")
            .body("<html>not found</html>"),
        Reply::error(400, "UNSUPPORTED", "no"),
        Reply::new(405),
        Reply::new(406),
        Reply::new(200)
            .header("content-type", "text/html")
            .body("<html>welcome</html>"),
        Reply::new(200)
            .header("content-type", "application/json")
            .body("{}"),
        Reply::new(303).header("location", format!("http://{}/nothing", elsewhere.name())),
    ] {
        let shown = format!("{reply:?}");
        let source = source(reply);
        let run = validate(&source.name(), &destination.name(), "--referrers");
        run.code(0).has("PASS");
        assert!(source.count("GET", &tag(&index, "")) > 0, "{shown}");
    }
    let refusing = Server::start(|request| match request.path.contains("bucket") {
        true => Reply::new(404).body("<Error><Code>NoSuchBucket</Code></Error>"),
        false => Reply::error(403, "DENIED", "no"),
    });
    let bucket = format!("http://{}/bucket", refusing.name());
    for reply in [
        Reply::error(401, "UNAUTHORIZED", "no"),
        Reply::error(403, "DENIED", "no"),
        Reply::error(500, "UNKNOWN", "broken"),
        Reply::new(200)
            .header("content-type", INDEX)
            .body(r#"{"manifests": [{"digest": "sha256:../../x"}]}"#),
        // Cut off, or an error in the clothes of a list.
        Reply::new(200)
            .header("content-type", INDEX)
            .body(r#"{"manifests": [{"dig"#),
        Reply::new(200)
            .header("content-type", INDEX)
            .body(r#"{"errors": [{"code": "UNAVAILABLE"}]}"#),
        Reply::new(200).header("content-type", INDEX).body(
            json!({"manifests": [{"digest": digest("x"), "artifactType": "x".repeat(300)}]})
                .to_string(),
        ),
        Reply::new(303).header("location", bucket),
        Reply::new(303).header("location", format!("http://{}/v2/refused", refusing.name())),
    ] {
        validate(&source(reply).name(), &destination.name(), "--referrers")
            .code(3)
            .has("NOT VALIDATED")
            .has("/referrers/sha256:");
    }
    // A second page that is gone says nothing of the referrers on it.
    let content = content.clone();
    let source = Server::start(move |request| {
        let list = json!({"mediaType": INDEX, "manifests": []}).to_string();
        match request.path.contains("/referrers/") {
            true if request.path.contains("?page=") => Reply::error(404, "NOT_FOUND", "gone"),
            true => Reply::new(200)
                .header("content-type", INDEX)
                .header("link", format!("<{}?page=2>; rel=next", request.path))
                .body(list),
            false => answer(&content, request),
        }
    });
    validate(&source.name(), &destination.name(), "--referrers")
        .code(3)
        .has("NOT VALIDATED")
        .has("404 Not Found");
}

#[test]
fn an_unknown_subject_proves_nothing_about_others() {
    // Two signed images in one repository; the registry does not know a digest that is not there, in
    // Quay's and in Harbor's words.
    let unknown: [fn() -> Reply; 2] = [
        || Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        || Reply::new(200).header("content-type", INDEX).body("{}"),
    ];
    for unknown in unknown {
        let mut content = Content {
            lists_referrers: true,
            ..Content::default()
        };
        content.schema1("team/x", "old", "linux/amd64", true);
        let image = content.image("team/x", OCI, "linux/amd64", "a");
        let signed = content.index("team/x", Some("1"), INDEX, &[entry(&image, "linux/amd64")]);
        let mut mirror = content.clone();
        mirror.remove("team/x", "old");
        let converted = mirror.image("team/x", OCI, "linux/amd64", "converted");
        mirror.index(
            "team/x",
            Some("old"),
            INDEX,
            &[entry(&converted, "linux/amd64")],
        );
        let signature = content.attach("team/x", &signed, SIGNATURE);
        let registry = |content: Content| {
            Server::start(
                move |request| match request.path.rsplit_once("/referrers/") {
                    Some((_, subject)) if content.find("team/x", subject).is_none() => unknown(),
                    _ => answer(&content, request),
                },
            )
        };
        let source = registry(content.clone());
        let dir = Dir::new();
        let run = |destination: &Server| {
            dir.validate()
                .args(&format!(
                    "--referrers -s {} -d {}",
                    source.name(),
                    destination.name()
                ))
                .stdin("team/x team/x old\nteam/x team/x 1\n")
                .run()
        };
        let missing = digest(&signature.bytes);
        run(&registry(mirror.clone()))
            .code(1)
            .has("[M_ID:1] PASS")
            .has(&format!("referrer {missing} ({SIGNATURE}) of the source"));
        // The converted image is not the source's business.
        let asked = digest(&converted.bytes);
        assert_eq!(source.count("GET", &format!("/referrers/{asked}")), 0);
        mirror.put("team/x", &missing, OCI, signature.bytes.clone());
        run(&registry(mirror)).code(0).has("[M_ID:2] PASS");
    }
}

#[test]
fn a_404_to_head_does_not_hide_a_signature() {
    let mut content = Content::default();
    let (index, _) = index(&mut content);
    let destination = Server::of(content.clone());
    let signature = content.image("team/x", OCI, "linux/amd64", "signature");
    content.tag("team/x", &tag(&index, ".sig"), &signature);
    let source = Server::start(move |request| match request.method.as_str() {
        "HEAD" => Reply::new(404),
        _ => answer(&content, request),
    });
    validate(&source.name(), &destination.name(), "--referrers")
        .code(1)
        .has(&format!("tag {} sha256:", tag(&index, ".sig")));
}

#[test]
fn referrers_of_single_images_and_artifacts_count_too() {
    let mut content = Content::default();
    let image = content.image("team/x", OCI, "linux/amd64", "a");
    let mut mirror = content.clone();
    content.tag("team/x", "1", &image);
    let signature = content.image("team/x", OCI, "linux/amd64", "signature");
    content.tag("team/x", &tag(&image, ".sig"), &signature);
    mirror.index("team/x", Some("1"), INDEX, &[entry(&image, "linux/amd64")]);
    let source = Server::of(content);
    let destination = Server::of(mirror.clone());
    validate(&source.name(), &destination.name(), "--referrers")
        .code(1)
        .has(&format!(
            "{} of linux/amd64 {}: not at the destination",
            digest(&signature.bytes),
            digest(&image.bytes)
        ));
    mirror.tag("team/x", &tag(&image, ".sig"), &signature);
    let destination = Server::of(mirror);
    validate(&source.name(), &destination.name(), "--referrers").code(0);

    let mut chart = Content::default();
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI,
        "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "size": 2, "digest": chart.blob("team/x", "{}")},
        "layers": []})
    .to_string();
    let chart_itself = chart.put("team/x", "1", OCI, manifest);
    let destination = Server::of(chart.clone());
    let provenance = chart.attach("team/x", &chart_itself, SIGNATURE);
    chart.referrers_tag("team/x", &chart_itself, &[&provenance]);
    let source = Server::of(chart);
    validate(&source.name(), &destination.name(), "--referrers")
        .code(1)
        .has(&format!(
            "referrer {} ({SIGNATURE}) of the source {}: not at the destination",
            digest(&provenance.bytes),
            digest(&chart_itself.bytes)
        ));
}
