//! `--referrers`: referrers of referrers, and damaged or invalid lists of referrers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::content::Stored;
use crate::support::{
    Content, Dir, INDEX, Internet, OCI, Registry, Reply, Run, Server, answer, descriptor, digest,
    entry,
};

const SIGNATURE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
const SBOM: &str = "application/spdx+json";

/// An index of one image, under the tag 1.
fn index(content: &mut Content) -> (Stored, Stored) {
    let amd64 = content.image("team/x", OCI, "linux/amd64", "a");
    let index = content.index("team/x", Some("1"), INDEX, &[entry(&amd64, "linux/amd64")]);
    (index, amd64)
}

/// cosign's tag of a manifest, or that of its list.
fn tag(stored: &Stored, suffix: &str) -> String {
    digest(&stored.bytes).replace(':', "-") + suffix
}

/// The entry of a list of referrers.
fn listed(stored: &Stored, kind: &str) -> Value {
    let mut entry = descriptor(stored);
    entry["artifactType"] = json!(kind);
    entry
}

fn dir() -> Dir {
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    dir
}

fn validate(source: &str, destination: &str, flags: &str) -> Run {
    dir()
        .validate()
        .args(&format!(
            "-f list.txt --retries 0 -j 4 -s {source} -d {destination} --referrers {flags}"
        ))
        .run()
}

#[test]
fn referrers_of_referrers_must_be_at_the_destination() {
    let mut content = Content::default();
    let (index, amd64) = index(&mut content);
    // An SBOM of the index, its signature, and a signature of that; cosign's signature of an SBOM under
    // cosign's tag.
    let sbom = content.attach("team/x", &index, SBOM);
    let signature = content.attach("team/x", &sbom, SIGNATURE);
    let again = content.attach("team/x", &signature, SIGNATURE);
    content.referrers_tag("team/x", &index, &[&sbom]);
    content.referrers_tag("team/x", &sbom, &[&signature]);
    content.referrers_tag("team/x", &signature, &[&again]);
    let tagged = content.image("team/x", OCI, "linux/amd64", "sbom");
    content.tag("team/x", &tag(&amd64, ".sbom"), &tagged);
    let signed = content.image("team/x", OCI, "linux/amd64", "signature of the sbom");
    content.tag("team/x", &tag(&tagged, ".sig"), &signed);
    let (source, whole) = (Registry::of(&content), Registry::of(&content));
    validate(&source.name(), &whole.name(), "")
        .code(0)
        .has("PASS");
    let directory = dir();
    directory
        .validate()
        .args(&format!(
            "-f list.txt --record s.json --referrers -s {}",
            source.name()
        ))
        .run()
        .code(0);
    let recorded = |destination: &Registry| {
        directory
            .validate()
            .args(&format!(
                "-f list.txt --recorded s.json --referrers -s {} -d {}",
                source.name(),
                destination.name()
            ))
            .run()
    };
    recorded(&whole).code(0).has("PASS");
    for (missing, message) in [
        (
            tag(&sbom, ""),
            format!(
                "referrer {} ({SIGNATURE}) of the referrer {}: ",
                digest(&signature.bytes),
                digest(&sbom.bytes)
            ),
        ),
        (
            tag(&signature, ""),
            format!(
                "referrer {} ({SIGNATURE}) of the referrer {}: ",
                digest(&again.bytes),
                digest(&signature.bytes)
            ),
        ),
        (
            tag(&tagged, ".sig"),
            format!(
                "tag {} {} of the referrer {}: ",
                tag(&tagged, ".sig"),
                digest(&signed.bytes),
                digest(&tagged.bytes)
            ),
        ),
    ] {
        let mut without = content.clone();
        without.remove("team/x", &missing);
        let destination = Registry::of(&without);
        for run in [
            validate(&source.name(), &destination.name(), ""),
            recorded(&destination),
        ] {
            run.code(1)
                .has(&message)
                .has("1 of 5 referrers of the source are not at the destination");
        }
    }
    // Its blobs count as well.
    let manifest: Value = serde_json::from_slice(&again.bytes).unwrap();
    let blob = manifest["layers"][0]["digest"].as_str().unwrap();
    std::fs::remove_file(whole.file(blob)).unwrap();
    validate(&source.name(), &whole.name(), "--deep")
        .code(1)
        .has(&format!("layer {blob} of "));
}

#[test]
fn beyond_three_levels_of_referrers_nothing_passes() {
    let mut content = Content {
        lists_referrers: true,
        ..Content::default()
    };
    let (index, _) = index(&mut content);
    let mut last = index;
    let mut chain = Vec::new();
    for _ in 0..3 {
        last = content.attach("team/x", &last, SIGNATURE);
        chain.push(last.clone());
    }
    let both = Server::of(content.clone());
    validate(&both.name(), &both.alias(), "")
        .code(0)
        .has("PASS");
    let deepest = content.attach("team/x", &last, SIGNATURE);
    let both = Server::of(content.clone());
    let words = format!(
        "the referrers are nested more than 3 levels deep ({} refers to {}); deeper levels were not compared",
        digest(&deepest.bytes),
        digest(&last.bytes)
    );
    validate(&both.name(), &both.alias(), "")
        .code(3)
        .has("NOT VALIDATED")
        .has(&words);
    dir()
        .validate()
        .args(&format!(
            "-f list.txt --record s.json --referrers -s {}",
            both.name()
        ))
        .run()
        .code(3)
        .has("NOT RECORDED")
        .has(&words);
    // One that is missing above is told all the same.
    let mut without = content.clone();
    without.remove("team/x", &digest(&chain[1].bytes));
    validate(&both.name(), &Server::of(without).name(), "")
        .code(1)
        .has("referrers of the source are not at the destination");
}

#[test]
fn of_more_than_a_thousand_referrers_nothing_passes() {
    let mut content = Content::default();
    let (index, _) = index(&mut content);
    let config = json!({"mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "digest": digest("{}")});
    let manifests: BTreeMap<String, String> = (0..1001)
        .map(|number| {
            let manifest =
                json!({"schemaVersion": 2, "mediaType": OCI, "config": config, "layers": [],
                "annotations": {"number": number.to_string()}})
                .to_string();
            (digest(&manifest), manifest)
        })
        .collect();
    let entries: Vec<Value> = manifests
        .iter()
        .map(|(digest, text)| json!({"mediaType": OCI, "size": text.len(), "digest": digest}))
        .collect();
    content.index("team/x", Some(&tag(&index, "")), INDEX, &entries);
    let both = Server::start(move |request| {
        let name = request.path.rsplit('/').next().unwrap();
        match manifests
            .get(name)
            .filter(|_| request.path.contains("/manifests/"))
        {
            Some(manifest) => Reply::new(200).body(manifest.clone()),
            None => answer(&content, request),
        }
    });
    let words = "the source has more than 1000 referrers; the others were not compared";
    validate(&both.name(), &both.alias(), "")
        .code(3)
        .has("NOT VALIDATED")
        .has(words);
    dir()
        .validate()
        .args(&format!(
            "-f list.txt --record s.json --referrers -s {}",
            both.name()
        ))
        .run()
        .code(3)
        .has("NOT RECORDED")
        .has(words);
    // They are not followed: the lists of the index and of its image, in two runs.
    assert_eq!(both.count("GET", "/referrers/sha256:"), 5);
}

#[test]
fn referrers_in_a_circle_are_followed_once() {
    let mut content = Content::default();
    let (index, _) = index(&mut content);
    let other = content.image("team/x", OCI, "linux/amd64", "signature");
    content.tag("team/x", &tag(&index, ".sig"), &other);
    content.tag("team/x", &tag(&other, ".sig"), &index);
    content.tag("team/x", &tag(&other, ".att"), &other);
    let both = Server::of(content);
    validate(&both.name(), &both.alias(), "")
        .code(0)
        .has("PASS");
    for subject in [&index, &other] {
        // Once as the source.
        let asked = format!("/manifests/{}", tag(subject, ".sbom"));
        assert_eq!(both.count("GET", &asked), 1);
    }
}

#[test]
fn a_list_that_lost_the_type_of_a_referrer_is_a_warning_and_in_the_report() {
    let mut content = Content::default();
    let (index, _) = index(&mut content);
    let sbom = content.attach("team/x", &index, SBOM);
    let typed = content.attach("team/x", &index, SIGNATURE);
    // Its manifest says no type.
    let untyped = content.image("team/x", OCI, "linux/amd64", "untyped");
    let base = content.clone();
    let with = |entries: &[Value]| {
        let mut content = base.clone();
        content.index("team/x", Some(&tag(&index, "")), INDEX, entries);
        Registry::of(&content)
    };
    let entries = [
        listed(&sbom, SBOM),
        listed(&typed, SIGNATURE),
        descriptor(&untyped),
    ];
    let whole = with(&entries);
    let mut lost = entries.clone();
    lost[0] = descriptor(&sbom);
    let mut other = entries.clone();
    other[0] = listed(&sbom, "application/octet-stream");
    let (lost, other) = (with(&lost), with(&other));
    validate(&whole.name(), &whole.alias(), "")
        .code(0)
        .has_not("[WARN] [M_ID");
    for (source, destination) in [
        (&whole, &lost),
        (&whole, &other),
        // The source lost it too: the manifest says it.
        (&lost, &lost),
    ] {
        let directory = dir();
        let run = directory
            .validate()
            .args(&format!(
                "-f list.txt --referrers --report report.json -s {} -d {}",
                source.name(),
                destination.alias()
            ))
            .run();
        run.code(0).has("PASS").has(&format!(
            "the list of referrers at the destination lacks the manifest's artifactType {SBOM}"
        ));
        assert_eq!(
            run.stdout.matches("[WARN] [M_ID").count(),
            1,
            "{}",
            run.stdout
        );
        let report: Value = serde_json::from_str(&directory.read("report.json")).unwrap();
        assert_eq!(
            report["lines"][0]["referrers_without_type"],
            json!([{"subject": digest(&index.bytes), "by": "referrers",
                "digest": digest(&sbom.bytes), "artifactType": SBOM}])
        );
    }
}

#[test]
fn the_subject_itself_under_the_tag_of_its_list_is_no_list() {
    let mut content = Content::default();
    let (index, amd64) = index(&mut content);
    let plain = Server::of(content.clone());
    // GitLab takes the tag for the digest.
    let gitlab = |content: Content| {
        Server::start(move |request| {
            let path = request
                .path
                .replace("/manifests/sha256-", "/manifests/sha256:");
            let mut request = request.clone();
            if path.rsplit(':').next().is_some_and(|hash| hash.len() == 64) {
                request.path = path;
            }
            answer(&content, &request)
        })
    };
    let source = gitlab(content.clone());
    validate(&source.name(), &plain.name(), "")
        .code(0)
        .has("PASS");
    assert_eq!(source.count("GET", &tag(&index, "")), 4);
    // As a destination it lists nothing.
    let sbom = content.attach("team/x", &index, SBOM);
    let destination = gitlab(content.clone());
    content.referrers_tag("team/x", &index, &[&sbom]);
    let source = Server::of(content);
    validate(&source.name(), &destination.name(), "")
        .code(1)
        .has(": present, but not listed: push the list, not the signature\n");
    // A list of the subject and its children, in other bytes.
    let mut content = Content::default();
    content.image("team/x", OCI, "linux/amd64", "a");
    content.index("team/x", Some("1"), INDEX, &[entry(&amd64, "linux/amd64")]);
    let entries = [descriptor(&index), descriptor(&amd64)];
    content.index("team/x", Some(&tag(&index, "")), INDEX, &entries);
    let source = Server::of(content);
    validate(&source.name(), &plain.name(), "")
        .code(0)
        .has("PASS");
    dir()
        .validate()
        .args(&format!(
            "-f list.txt --record s.json --referrers -s {}",
            source.name()
        ))
        .run()
        .code(0);
}

#[test]
fn one_damaged_entry_of_a_list_is_that_entry_s() {
    let mut content = Content::default();
    let (index, _) = index(&mut content);
    let sbom = content.attach("team/x", &index, SBOM);
    let signature = content.attach("team/x", &index, SIGNATURE);
    let damaged = json!({"mediaType": OCI, "digest": digest("x"), "size": "big"});
    let with = |entries: &[Value]| {
        let mut content = content.clone();
        content.index("team/x", Some(&tag(&index, "")), INDEX, entries);
        Server::of(content)
    };
    let (sbom, signature) = (listed(&sbom, SBOM), listed(&signature, SIGNATURE));
    let whole = with(&[sbom.clone(), signature.clone()]);
    let with_damage = with(&[sbom.clone(), damaged.clone(), signature.clone()]);
    let damage =
        "damaged manifest: manifests[1].size is not a number (expected an integer of 0 or more)";
    // At the destination, the others are found.
    validate(&whole.name(), &with_damage.name(), "")
        .code(0)
        .has("PASS")
        .has(&format!(
            "{damage}; some clients cannot read this list of referrers"
        ));
    // One that is not found may be the damaged one.
    validate(&whole.name(), &with(&[sbom.clone(), damaged]).name(), "")
        .code(3)
        .has(damage);
    // At the source, nobody knows what it names; one that is missing is told all the same.
    validate(&with_damage.name(), &whole.name(), "")
        .code(3)
        .has(damage);
    validate(&with_damage.name(), &with(&[sbom]).name(), "")
        .code(1)
        .has("1 of 2 referrers of the source are not at the destination");
}

#[test]
fn a_list_that_two_readers_read_differently_is_not_compared() {
    let mut content = Content::default();
    let (index, _) = index(&mut content);
    let sbom = content.attach("team/x", &index, SBOM);
    let name = tag(&index, "");
    content.referrers_tag("team/x", &index, &[&sbom]);
    let whole = Server::of(content.clone());
    let list = listed(&sbom, SBOM);
    for text in [
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{list}],"Manifests":[]}}"#
        ),
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"Digest":"{}",{}]}}"#,
            digest("x"),
            &list.to_string()[1..]
        ),
    ] {
        let mut content = content.clone();
        content.put("team/x", &name, INDEX, text);
        let ambiguous = Server::of(content);
        for (source, destination) in [(&whole, &ambiguous), (&ambiguous, &whole)] {
            validate(&source.name(), &destination.name(), "")
                .code(3)
                .has("ambiguous manifest: ");
        }
    }
}

#[test]
fn a_wrong_size_in_a_list_of_referrers_fails_where_the_source_has_it_right() {
    let mut content = Content::default();
    let (index, _) = index(&mut content);
    let sbom = content.attach("team/x", &index, SBOM);
    let with = |size: &Value| {
        let mut content = content.clone();
        let mut entry = listed(&sbom, SBOM);
        entry["size"] = size.clone();
        content.index("team/x", Some(&tag(&index, "")), INDEX, &[entry]);
        Registry::of(&content)
    };
    let length = sbom.bytes.len();
    let (right, wrong, none) = (with(&json!(length)), with(&json!(7)), with(&Value::Null));
    let line = format!(": the list has the size 7, but the manifest has {length} bytes");
    validate(&right.name(), &wrong.name(), "")
        .code(1)
        .has(&line)
        .has(&format!(
            "[{}/team/x:1]: destination list of referrers has a wrong size for {}\n",
            wrong.name(),
            digest(&sbom.bytes)
        ));
    validate(&wrong.name(), &wrong.alias(), "")
        .code(0)
        .has("[WARN]")
        .has(&format!("{line}; the source has the same wrong size"));
    validate(&right.name(), &none.name(), "")
        .code(0)
        .has_not("[WARN] [M_ID");
    validate(&wrong.name(), &right.name(), "")
        .code(0)
        .has_not("[WARN] [M_ID");
}

#[test]
fn an_unlisted_referrer_has_a_remedy() {
    let mut content = Content::default();
    let (index, amd64) = index(&mut content);
    let sbom = content.attach("team/x", &index, SBOM);
    let signed = content.image("team/x", OCI, "linux/amd64", "signature");
    let destination = Registry::of(&content);
    content.referrers_tag("team/x", &index, &[&sbom]);
    content.tag("team/x", &tag(&amd64, ".sig"), &signed);
    let source = Registry::of(&content);
    validate(&source.name(), &destination.name(), "")
        .code(1)
        .has(&format!(
            "referrer {} ({SBOM}) of the source {}: present, but not listed: push the list, not the signature\n",
            digest(&sbom.bytes),
            digest(&index.bytes)
        ))
        .has(&format!(
            "tag {} {} of linux/amd64 {}: present, but without its tag: push the tag\n",
            tag(&amd64, ".sig"),
            digest(&signed.bytes),
            digest(&amd64.bytes)
        ));
    // A registry that makes its lists itself.
    let mut mirror = content.clone();
    mirror.lists_referrers = true;
    let subject = digest(&index.bytes);
    let destination = Server::start(move |request| match request.path.contains(&subject) {
        true if request.path.contains("/referrers/") => Reply::new(200)
            .header("content-type", INDEX)
            .body(json!({"schemaVersion": 2, "manifests": []}).to_string()),
        _ => answer(&mirror, request),
    });
    validate(&source.name(), &destination.name(), "")
        .code(1)
        .has(": present, but not listed: push it again, so that the registry lists it\n");
}

#[test]
fn a_referrer_that_head_confirms_and_get_does_not_find_is_not_there() {
    let mut content = Content::default();
    let (index, _) = index(&mut content);
    let sbom = content.attach("team/x", &index, SBOM);
    content.referrers_tag("team/x", &index, &[&sbom]);
    let source = Server::of(content.clone());
    let name = digest(&sbom.bytes);
    let destination = Server::start(move |request| {
        match request.method == "GET"
            && request.path.ends_with(&name)
            && !request.path.contains("referrers")
        {
            true => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            false => answer(&content, request),
        }
    });
    validate(&source.name(), &destination.name(), "")
        .code(1)
        .has(": listed at the destination, but missing\n");
}

#[test]
fn referrers_at_docker_hub_are_not_pulled() {
    let mut hub = Content {
        lists_referrers: true,
        ..Content::default()
    };
    let amd64 = hub.image("library/x", OCI, "linux/amd64", "a");
    let index = hub.index(
        "library/x",
        Some("1"),
        INDEX,
        &[entry(&amd64, "linux/amd64")],
    );
    let sbom = hub.attach("library/x", &index, SBOM);
    let mut source = Content::default();
    for (_, reference, stored) in &hub.manifests {
        source.put("x", reference, &stored.media_type, stored.bytes.clone());
    }
    source.blobs = hub
        .blobs
        .iter()
        .map(|((_, name), bytes)| (("x".to_owned(), name.clone()), bytes.clone()))
        .collect();
    source.lists_referrers = true;
    let internet = Internet::new()
        .host("source.test", move |request| answer(&source, request))
        .host("registry-1.docker.io", move |request| answer(&hub, request));
    internet
        .validate()
        .arg("--referrers")
        .stdin("source.test/x docker.io/library/x 1\n")
        .run()
        .code(0)
        .has("PASS")
        .has_not("[WARN] [M_ID");
    let of_sbom = format!("/manifests/{}", digest(&sbom.bytes));
    let requests = internet.requests("registry-1.docker.io");
    let methods: Vec<&str> = requests
        .iter()
        .filter(|request| request.path.ends_with(&of_sbom))
        .map(|request| request.method.as_str())
        .collect();
    assert_eq!(methods, ["HEAD"]);
}
