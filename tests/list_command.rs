//! `image-tools list`: any list in canonical form, for this program and for others.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Content, Dir, Server, TestCommand, digest};

/// The lines of a list without its comments.
fn images(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn several_lists_are_printed_as_one_with_the_place_of_each_image() {
    let dir = Dir::new();
    dir.write(
        "a.yaml",
        "sync:\n- source: x/a:1\n  target: y/a:2\n  type: image\n- source: x/a:1\n  target: y/b:1\n  type: image\n  platform: linux/arm64\n",
    );
    dir.write("syncer.yaml", "x/a:1,2:\n  - y/a\n  - y/c\n");
    dir.write("b.txt", "# nginx\nnginx:1.29\n\nx/a y/a 1 arm64,amd64\r\n");
    let run = dir
        .program()
        .args("list a.yaml b.txt - syncer.yaml")
        .stdin("x/a:1=y/a\n")
        .run();
    run.code(0).error("");
    assert_eq!(
        run.stdout,
        "# a.yaml:2\nx/a:1 y/a:2\n# a.yaml:5\nx/a y/b 1 linux/arm64\n# b.txt:2\nnginx:1.29\n# b.txt:4\nx/a y/a 1 amd64,arm64\n\
         # standard input:1\nx/a y/a 1\n# syncer.yaml:2\nx/a y/a 1\nx/a y/a 2\n# syncer.yaml:3\nx/a y/c 1\nx/a y/c 2\n"
    );
    // What was printed before is not printed again: `x/a:1=y/a` is the first of syncer.yaml.
    let unique = dir
        .program()
        .args("list --unique a.yaml b.txt - syncer.yaml -f b.txt")
        .stdin("x/a:1=y/a\n")
        .run();
    let mut expected = images(&run.stdout);
    assert_eq!(expected.remove(5), expected[4]);
    let mut found = images(&unique.code(0).stdout);
    // The files of -f come first.
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    // Standard input alone.
    let run = dir.program().arg("list").stdin("a b c\n").run();
    run.code(0).error("");
    assert_eq!(run.stdout, "# standard input:1\na b c\n");
}

#[test]
fn unknown_values_are_named_and_the_rest_is_printed() {
    let dir = Dir::new();
    dir.write("a.txt", "nginx\nnginx:1\nhttps://quay.io/a/b:1\n");
    dir.write(
        "b.yaml",
        "sync:\n- source: x/a\n  target: y/a\n  type: repository\n- source: x/a:1\n  target: y/a:1\n  type: image\n",
    );
    dir.write("broken.yaml", "a: [\n");
    let run = dir
        .program()
        .args("list a.txt b.yaml nowhere broken.yaml")
        .run();
    run.code(2);
    assert_eq!(run.stdout, "# a.txt:2\nnginx:1\n# b.yaml:5\nx/a y/a 1\n");
    let errors: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(
        errors[..4],
        [
            "image-tools: a.txt:1: 1 field instead of 3: \"nginx\"; add a tag, for example nginx:latest",
            "image-tools: a.txt:3: a URL: \"https://quay.io/a/b:1\"; write the registry without https://",
            "image-tools: b.yaml:2: type: repository is a rule, not an image: \"x/a y/a\"; write an entry with type: image for each tag",
            "image-tools: cannot read the image list nowhere: No such file or directory (os error 2)",
        ]
    );
    assert!(errors[4].starts_with("image-tools: cannot read the image list: broken.yaml:"));
    assert_eq!(
        errors[5..],
        ["image-tools: found 5 mistakes in the lists; all other lines were printed"]
    );
    // An empty list is none.
    let run = dir.program().args("list --format json").run();
    run.code(0);
    assert_eq!(
        (&*run.stdout, &*run.stderr),
        (
            "[]\n",
            "image-tools: standard input: the list has no images\n"
        )
    );
}

#[test]
fn json_has_the_parts_of_each_image() {
    let dir = Dir::new();
    let digest = format!("sha256:{}", "a".repeat(64));
    dir.write(
        "a.txt",
        format!("--platform=linux/arm/v7 nginx:1\nx/a@{digest} y/a:2\nx/a:1@{digest}\nno-tag\n"),
    );
    let run = dir.program().args("list --format json a.txt").run();
    let found: Value = serde_json::from_str(&run.code(2).stdout).expect("JSON");
    assert_eq!(
        found,
        json!([
            {"file": "a.txt", "line": 1, "source": "nginx", "source_tag": "1", "source_digest": null, "destination": null,
             "destination_tag": "1", "destination_digest": null, "platforms": ["linux/arm/v7"], "canonical": "--platform=linux/arm/v7 nginx:1"},
            {"file": "a.txt", "line": 2, "source": "x/a", "source_tag": null, "source_digest": digest, "destination": "y/a",
             "destination_tag": "2", "destination_digest": null, "platforms": null, "canonical": format!("x/a@{digest} y/a:2")},
            {"file": "a.txt", "line": 3, "source": "x/a", "source_tag": null, "source_digest": digest, "destination": null,
             "destination_tag": "1", "destination_digest": null, "platforms": null, "canonical": format!("x/a:1@{digest}")},
        ])
    );
}

#[test]
fn a_printed_list_is_printed_unchanged() {
    let dir = Dir::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lists");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for flags in [
            &[][..],
            &["-d", "d.io/p"],
            &["-s", "s.io", "-d", "d.io/{registry}/{path}"],
        ] {
            let list = |path: &Path, flags: &[&str]| {
                let program = dir.program().arg("list").arg(path);
                flags.iter().fold(program, TestCommand::arg).run().stdout
            };
            let once = list(&path, flags);
            let copy = dir.write("once.txt", &once);
            let twice = list(&copy, &[]);
            assert_eq!(images(&once), images(&twice), "{}", path.display());
            count += images(&once).len();
        }
    }
    assert!(count > 300, "{count}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let dir = Dir::new();
    let program = env!("CARGO_BIN_EXE_image-tools");
    dir.write("long.txt", "nginx:1\n".repeat(100_000));
    for form in ["lines", "json"] {
        let script =
            format!("{program} list --format {form} long.txt | head -n 1; echo ${{PIPESTATUS[0]}}");
        let run = dir.command("bash").arg("-c").arg(script).run();
        run.code(0).error("");
        assert_eq!(run.stdout.lines().last(), Some("0"));
    }
}

#[test]
fn a_list_can_be_validated_and_the_flags_mean_the_same() {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    content.multi("team/y", "1", &["linux/amd64"], "a");
    let (from, to) = (Server::of(content.clone()), Server::of(content));
    let dir = Dir::new();
    dir.write("a.txt", "team/x:1\n");
    dir.write("b.yaml", "image: team/y:1\n");
    let flags = format!("-s {} -d {}", from.name(), to.name());
    let listed = dir.program().args("list a.txt b.yaml").args(&flags).run();
    listed.code(0).error("");
    let plain = dir.program().args("list a.txt b.yaml").run();
    for (list, flags) in [(&listed, ""), (&plain, &*flags)] {
        let run = dir
            .validate()
            .args("-f -")
            .args(flags)
            .stdin(&list.stdout)
            .run();
        run.code(0)
            .has(&format!(
                "[M_ID:1] PASS [{0}/team/x:1] == [{1}/team/x:1]",
                from.name(),
                to.name()
            ))
            .has("2 images: 2 passed");
    }
    // Variables are for the program that validates, so that they do not apply twice.
    let run = dir
        .program()
        .args("list a.txt")
        .env("DEST_REGISTRY", "d.io/p")
        .run();
    assert_eq!(run.code(0).stdout, "# a.txt:1\nteam/x:1\n");
}

#[test]
fn a_recording_is_printed_as_a_file_of_digests() {
    let mut content = Content::default();
    let index = digest(&content.multi("team/x", "1", &["linux/amd64"], "a").bytes);
    let registry = Server::of(content);
    let dir = Dir::new();
    let name = registry.name();
    dir.write(
        "list.txt",
        format!("{name}/team/x d/x 1\n{name}/team/x d/x {index}\n{name}/team/gone d/x 1\n"),
    );
    dir.validate()
        .args("-f list.txt --record sources.json")
        .run()
        .code(3);
    let run = dir
        .program()
        .args("list --digests sources.json nowhere.json")
        .run();
    run.code(2);
    assert_eq!(
        run.stdout,
        format!("{name}/team/x {index}\n{name}/team/x:1 {index}\n")
    );
    assert_eq!(
        run.stderr,
        format!(
            "image-tools: sources.json: omitted [{name}/team/gone:1]: it could not be read when the recording was made\n\
             image-tools: cannot read the recording nowhere.json: No such file or directory (os error 2)\n\
             image-tools: found 1 mistake in the lists; all other lines were printed\n"
        )
    );
    let again = dir
        .program()
        .args("list --digests")
        .stdin(dir.read("sources.json"))
        .run();
    assert_eq!(again.code(0).stdout, run.stdout);
    // The recording itself is none.
    let refused = dir.program().args("list sources.json").run();
    let why = "sources.json:1: this is a recording, not an image list; use it with --recorded";
    assert!(refused.code(2).stderr.contains(why), "{}", refused.stderr);
    // It is a list.
    dir.write("digests.txt", &run.stdout);
    let run = dir.program().args("list digests.txt").run();
    assert_eq!(
        images(&run.code(0).stdout),
        [
            format!("{name}/team/x@{index}"),
            format!("{name}/team/x:1@{index}")
        ]
    );
}
