//! The image list: images, comments, and messages for all other lines.

use crate::support::{Content, Dir, Server, digest};

fn registry() -> Server {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    Server::of(content)
}

#[test]
fn comments_blanks_tabs_crlf_and_a_bom() {
    let registry = registry();
    let dir = Dir::new();
    dir.write("list.txt", "\u{feff}team/x team/x 1\r\n\r\n# a b c\n  // a b c\n\tteam/x\t team/x \t1  \n \t \nteam/x team/x 1");
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt -s {0} -d {1}",
            registry.name(),
            registry.alias()
        ))
        .run();
    run.code(0)
        .has("[M_ID:1] PASS")
        .has("[M_ID:2] PASS")
        .has("[M_ID:3] PASS")
        .has("3 images: 3 passed");
}

#[test]
fn an_invalid_line_is_reported_and_kept_unchanged() {
    let registry = registry();
    let dir = Dir::new();
    let long = format!("{} x 1", "a/".repeat(3000));
    let mut list = b"one-field\nteam/x team/x 1\na b c d\r\n".to_vec();
    list.extend_from_slice(b"team/x team/x \xff\xfe\n");
    list.extend_from_slice(
        format!("{long}\nUPPER/x team/x 1\nteam/x team/../x 1\nteam/x team/x -tag\n").as_bytes(),
    );
    list.extend_from_slice(b"team/x team/x sha256:abc\nteam/x:1 team/x 1\nteam/x reg.io:0/x 1");
    dir.write("list.txt", &list);
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt -s {0} -d {1} -j 4",
            registry.name(),
            registry.alias()
        ))
        .run();
    run.code(3)
        .has("[ERRO] list.txt:1: 1 field instead of 3: \"one-field\"; add a tag, for example one-field:latest\n")
        .has("[INFO] [M_ID:1] PASS")
        .has("[ERRO] list.txt:3: 4 fields instead of 3")
        .has("[ERRO] list.txt:4: the line is not UTF-8 text: \"team/x team/x \u{fffd}\u{fffd}\"; save the list as UTF-8\n")
        .has("[ERRO] list.txt:5: the line has 6004 bytes; the maximum is 4096")
        .has("[ERRO] list.txt:6: source \"UPPER/x\": the repository")
        .has("; write the repository in lower case: upper/x\n")
        .has("[ERRO] list.txt:7: destination \"team/../x\": the repository")
        .has("[ERRO] list.txt:8: tag \"-tag\": the tag is not valid")
        .has("[ERRO] list.txt:9: tag \"sha256:abc\": the hash must be 64")
        .has("[ERRO] list.txt:10: source \"team/x:1\"")
        .has("[ERRO] list.txt:11: destination \"reg.io:0/x\": the port \"0\"")
        .has("11 images: 1 passed, 0 failed, 10 not validated");
    let mut expected: Vec<&[u8]> = list.split(|byte| *byte == b'\n').collect();
    expected.remove(1);
    let mut expected = expected.join(&b'\n');
    expected.push(b'\n');
    assert_eq!(
        std::fs::read(dir.path().join("mirror-validate-failed.txt")).unwrap(),
        expected
    );
    // Nothing of such a line was asked for.
    assert!(
        registry
            .requests()
            .iter()
            .all(|request| request.path == "/v2/" || request.path.starts_with("/v2/team/x/"))
    );
}

#[test]
fn printed_lines_cannot_control_the_terminal() {
    let dir = Dir::new();
    let run = dir.validate().stdin("\x1b[2J\u{202e}x\n").run();
    run.code(3)
        .has("\\u{1b}[2J\\u{202e}x")
        .has_not("\x1b")
        .has("standard input:1: ");
}

#[test]
fn a_list_that_cannot_be_read_is_a_usage_error() {
    let dir = Dir::new();
    dir.write("mirror-validate-failed.txt", "stale\n");
    dir.write("binary", b"\x7fELF\0\0\0");
    dir.write("endless", vec![b'a'; 17 * 1024 * 1024]);
    std::fs::create_dir(dir.path().join("directory")).unwrap();
    for (file, message) in [
        (
            "missing",
            "cannot read the image list missing: No such file or directory",
        ),
        (
            "directory",
            "cannot read the image list directory: it is a directory",
        ),
        (
            "binary",
            "cannot read the image list binary: it is not a text file (line 1 contains a NUL byte)",
        ),
        (
            "endless",
            "cannot read the image list endless: line 1 is longer than 16 MiB",
        ),
    ] {
        dir.validate()
            .arg("-f")
            .arg(file)
            .run()
            .code(2)
            .has_not(" ")
            .one_error(message);
    }
    assert_eq!(dir.read("mirror-validate-failed.txt"), "stale\n");
    assert!(!dir.has("mirror-validate-failed.txt.partial"));
}

#[test]
fn a_list_that_breaks_off_replaces_nothing() {
    let dir = Dir::new();
    let list = b"127.0.0.1:1/x 127.0.0.1:1/x 1\n\0\n127.0.0.1:1/y 127.0.0.1:1/y 1\n";
    dir.write("failed.txt", list);
    let shell = format!(
        "{} mirror-validate --retries 0 -f - -o failed.txt <failed.txt",
        env!("CARGO_BIN_EXE_image-tools")
    );
    dir.command("sh")
        .arg("-c")
        .arg(shell)
        .run()
        .code(2)
        .has("line 2 contains a NUL byte")
        .has("; lines that did not pass until then: failed.txt.partial\n");
    assert_eq!(dir.read("failed.txt").as_bytes(), list);
    assert_eq!(
        dir.read("failed.txt.partial"),
        "127.0.0.1:1/x 127.0.0.1:1/x 1\n"
    );
    // Nothing was found: the older list stays all the same.
    dir.validate()
        .args("-f - -o failed.txt")
        .stdin(b"\0\n")
        .run()
        .code(2)
        .has_not("until then");
    assert_eq!(dir.read("failed.txt").as_bytes(), list);
    assert!(!dir.has("failed.txt.partial"));
}

#[test]
fn a_run_that_cannot_begin_keeps_the_files_of_a_killed_run() {
    let dir = Dir::new();
    dir.write("list.txt", "x x 1\n");
    dir.write("mirror-validate-failed.txt.partial", "found\n");
    for args in ["--recorded nowhere.json", "--ca-file nowhere.pem"] {
        dir.validate().args("-f list.txt").args(args).run().code(2);
        assert_eq!(dir.read("mirror-validate-failed.txt.partial"), "found\n");
    }
}

#[test]
fn a_line_of_a_mebibyte_is_not_validated_and_kept() {
    let dir = Dir::new();
    let line = "a".repeat(1024 * 1024);
    dir.write("list.txt", format!("{line}\n"));
    let run = dir.validate().args("-f list.txt").run();
    run.code(3)
        .has("list.txt:1: the line has 1048576 bytes; the maximum is 4096");
    assert!(run.stdout.len() < 1000);
    assert_eq!(dir.read("mirror-validate-failed.txt"), format!("{line}\n"));
}

#[test]
fn a_list_without_images_is_an_error_unless_it_is_expected() {
    let dir = Dir::new();
    dir.write("mirror-validate-failed.txt", "of last night\n");
    dir.write("list.txt", "# nothing\n\n");
    for (args, code) in [
        ("-f list.txt", 2),
        ("-f list.txt --allow-empty", 0),
        ("-f list.txt --shard 0/2", 0),
    ] {
        let run = dir.validate().args(args).run();
        run.code(code).has("0 images: 0 passed");
        let error = "[ERRO] the list has no images; use --allow-empty if this is expected";
        assert_eq!(run.stdout.contains(error), code == 2, "{args}");
        // A shard that has no failures any more has no failed list.
        let is_kept = dir.has("mirror-validate-failed.txt");
        assert_eq!(is_kept, !args.contains("shard"), "{args}");
    }
}

#[test]
fn standard_input_is_read_line_by_line_or_as_a_file() {
    let registry = registry();
    let dir = Dir::new();
    let flags = format!("-s {0} -d {1}", registry.name(), registry.alias());
    let run = dir
        .validate()
        .args(&flags)
        .stdin("team/x team/x 1\nbad\nteam/x team/x 1\n")
        .run();
    run.code(3)
        .error("")
        .has("[M_ID:2] PASS")
        .has("standard input:2: 1 field")
        .has_not(">>>");
    assert_eq!(dir.read("mirror-validate-failed.txt"), "bad\n");
    let run = dir
        .validate()
        .args(&flags)
        .args("-f - -j 4")
        .stdin("team/x team/x 1\n".repeat(50))
        .run();
    run.code(0).has("50 images: 50 passed");
}

#[test]
fn each_line_that_is_entered_is_answered_before_the_next() {
    let registry = registry();
    let dir = Dir::new();
    let mut running = dir
        .validate()
        .args(&format!("-s {0} -d {1}", registry.name(), registry.alias()))
        .start();
    for number in 1..4 {
        running.type_in("team/x team/x 1\n");
        running.wait_for(&format!("[M_ID:{number}] PASS"));
    }
    running.type_in("team/x team/y 1\n");
    running.wait_for("destination manifest does not exists");
    running.end().code(1).has("4 images: 3 passed, 1 failed");
}

#[test]
fn a_line_with_one_field_has_the_same_name_at_the_destination() {
    let mut content = Content::default();
    content.multi("rancher/rancher", "v2", &["linux/amd64"], "a");
    content.multi("library/busybox", "1", &["linux/amd64"], "a");
    content.multi("busybox", "1", &["linux/amd64"], "a");
    let registry = Server::of(content);
    let dir = Dir::new();
    let name = registry.name();
    let list = format!("rancher/rancher:v2\n{name}/rancher/rancher:v2\nbusybox:1\n");
    let run = dir
        .validate()
        .args(&format!("-s {name} -d {}", registry.alias()))
        .stdin(&list)
        .run();
    run.code(0).has("3 images: 3 passed").has(&format!(
        "[M_ID:3] PASS [{name}/busybox:1] == [{}/busybox:1]",
        registry.alias()
    ));
    let run = dir
        .validate()
        .args(&format!("-s {name}"))
        .stdin("rancher/rancher:v2\n")
        .run();
    run.code(3)
        .has("standard input:1: a line with one field requires -d (the destination registry)");
    assert_eq!(
        dir.read("mirror-validate-failed.txt"),
        "rancher/rancher:v2\n"
    );
}

#[test]
fn shards_share_a_list_and_their_failed_lists_add_up() {
    let mut content = Content::default();
    for number in 0..60 {
        content.multi(&format!("team/x{number}"), "1", &["linux/amd64"], "a");
    }
    let registry = Server::of(content);
    let dir = Dir::new();
    let mut list: String = (0..60)
        .map(|number| format!("team/x{number} team/x{number} 1\nteam/x{number} team/y{number} 1\n"))
        .collect();
    list += "nonsense\n";
    dir.write("list.txt", &list);
    let (mut passed, mut failed, mut numbers) = (0, Vec::new(), Vec::new());
    for shard in 0..3 {
        let flags = format!(
            "-f list.txt -j 4 --shard {shard}/3 -o failed{shard}.txt -s {0} -d {1}",
            registry.name(),
            registry.alias()
        );
        let run = dir.validate().args(&flags).run();
        run.code(1);
        let log = run.log();
        let of_shard = log.iter().filter(|line| line.contains("] PASS ["));
        let of_shard = of_shard.count();
        assert!((1..60).contains(&of_shard), "{of_shard}");
        passed += of_shard;
        failed.extend(
            dir.read(&format!("failed{shard}.txt"))
                .lines()
                .map(str::to_owned),
        );
        let results = log
            .iter()
            .filter(|line| line.contains("] PASS [") || line.contains("] FAILED ["));
        numbers.extend(results.map(|line| {
            let (_, number) = line.split_once("[M_ID:").unwrap();
            let (number, _) = number.split_once(']').unwrap();
            number.parse::<u32>().unwrap()
        }));
    }
    assert_eq!(passed, 60);
    // The number of an image is that in the whole list.
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=120).collect::<Vec<_>>());
    failed.sort();
    let mut expected: Vec<String> = list
        .lines()
        .filter(|line| line.contains("team/y") || *line == "nonsense")
        .map(str::to_owned)
        .collect();
    expected.sort();
    assert_eq!(failed, expected);
    dir.validate()
        .args("-f list.txt --shard 3/3")
        .run()
        .code(2)
        .one_error(
            "invalid value \"3/3\" for --shard (expected I/N with I from 0 to N-1, for example 0/4)",
        );
}

/// A registry with tags of `team/x`, all the same image.
fn with_tags(tags: &[&str]) -> Server {
    let mut content = Content::default();
    for tag in tags {
        content.multi("team/x", tag, &["linux/amd64", "linux/s390x"], "a");
    }
    Server::of(content)
}

#[test]
fn every_one_line_form_is_validated_in_one_list() {
    let (from, to) = (with_tags(&["1"]), with_tags(&["1", "2"]));
    let (s, d) = (from.name(), to.name());
    let dir = Dir::new();
    let digest = {
        let mut content = Content::default();
        let stored = content.multi("team/x", "1", &["linux/amd64", "linux/s390x"], "a");
        digest(&stored.bytes)
    };
    dir.write(
        "list.txt",
        format!(
            "{s}/team/x {d}/team/x 1\n\
             {s}/team/x:1 {d}/team/x:2\n\
             {s}/team/x:1={d}/team/x\n\
             docker://{s}/team/x:1,docker://{d}/team/x:2\n\
             {s}/team/x@{digest}={d}/team/x:2\n\
             {s}/team/x {d}/team/x {digest}\n\
             {s}/team/x:1 {d}/team/x:gone\n\
             {s}/team/x:1 => {d}/team/x:1\n"
        ),
    );
    let run = dir.validate().args("-f list.txt").run();
    run.code(1)
        .has(&format!("[M_ID:1] PASS [{s}/team/x:1] == [{d}/team/x:1]"))
        .has(&format!("[M_ID:2] PASS [{s}/team/x:1] == [{d}/team/x:2]"))
        .has(&format!(
            "[M_ID:5] PASS [{s}/team/x@{digest}] == [{d}/team/x:2]"
        ))
        .has(&format!(
            "[{d}/team/x:gone]: destination manifest does not exists"
        ))
        .has("list.txt:8: an arrow or an equals sign between the names: ")
        .has("8 images: 6 passed, 1 failed, 1 not validated");
    assert_eq!(
        dir.read("mirror-validate-failed.txt"),
        format!("{s}/team/x:1 {d}/team/x:gone\n{s}/team/x:1 => {d}/team/x:1\n")
    );
    // The same name on both sides, at registries that the flags name.
    dir.write(
        "list.txt",
        format!("team/x:1\nteam/x:1 {digest}\n{digest} team/x:1\n- team/x:1 # x\n"),
    );
    let run = dir
        .validate()
        .args(&format!("-f list.txt -s {s} -d {d}"))
        .run();
    run.code(0).has("4 images: 4 passed");
}

#[test]
fn a_yaml_file_is_validated_and_its_failed_list_has_lines() {
    let (from, to) = (with_tags(&["1"]), with_tags(&["1"]));
    let (s, d) = (from.name(), to.name());
    let dir = Dir::new();
    let yaml = format!(
        "version: 1\nsync:\n  - source: {s}/team/x:1\n    target: {d}/team/x:1\n    type: image\n  \
         - source: {s}/team/x:1\n    target: {d}/team/x:gone\n    type: image\n  \
         - source: {s}/team/x\n    target: {d}/team/x\n    type: repository\n"
    );
    dir.write("regsync.yaml", &yaml);
    let expected = format!(
        "# regsync.yaml:6\n{s}/team/x:1 {d}/team/x:gone\n# regsync.yaml:9\n!refused {s}/team/x {d}/team/x\n"
    );
    let refusal = format!(
        "type: repository is a rule, not an image: \"{s}/team/x {d}/team/x\"; write an entry with type: image for each tag"
    );
    let run = dir.validate().args("-f regsync.yaml -j 4").run();
    run.code(1)
        .has(&format!("[M_ID:1] PASS [{s}/team/x:1] == [{d}/team/x:1]"))
        .has(&format!(
            "[{d}/team/x:gone]: destination manifest does not exists"
        ))
        .has(&format!("[ERRO] regsync.yaml:9: {refusal}\n"))
        .has(&format!(
            "[M_ID:2] FAILED [{s}/team/x:1] (regsync.yaml:6)\n"
        ))
        .has("3 images: 1 passed, 1 failed, 1 not validated");
    assert_eq!(dir.read("mirror-validate-failed.txt"), expected);
    // The failed list is a list: nothing of it is forgotten.
    let run = dir
        .validate()
        .args("-f mirror-validate-failed.txt -o again.txt")
        .run();
    run.code(1)
        .has("mirror-validate-failed.txt:4: not an image: ")
        .has("2 images: 0 passed, 1 failed, 1 not validated");
    let without_comments: String = expected
        .split_inclusive('\n')
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(dir.read("again.txt"), without_comments);
    // Standard input is recognised as a file is.
    let run = dir.validate().args("-f -").stdin(&yaml).run();
    run.code(1).has(&format!("standard input:9: {refusal}"));
    assert_eq!(
        dir.read("mirror-validate-failed.txt"),
        expected.replace("regsync.yaml", "standard input")
    );
}

#[test]
fn a_yaml_file_without_an_image_is_a_usage_error() {
    let dir = Dir::new();
    dir.write("mirror-validate-failed.txt", "stale\n");
    for (text, message) in [
        (
            "kind: ImageSetConfiguration\n",
            "cannot read the image list: x.yaml:1: an ImageSetConfiguration contains rules, not images; use the mapping.txt that `oc mirror --dry-run` writes",
        ),
        (
            "sync: []\n",
            "cannot read the image list x.yaml: it contains no image",
        ),
        (
            "a: [\n",
            "cannot read the image list: x.yaml:2: invalid YAML or JSON: ",
        ),
    ] {
        dir.write("x.yaml", text);
        dir.validate()
            .args("-f x.yaml")
            .run()
            .code(2)
            .one_error(message);
    }
    assert_eq!(dir.read("mirror-validate-failed.txt"), "stale\n");
}

#[test]
fn an_override_may_be_a_template() {
    let from = with_tags(&["1"]);
    let s = from.name();
    let mut content = Content::default();
    content.multi(
        "mirror/docker.io/team/x",
        "1",
        &["linux/amd64", "linux/s390x"],
        "a",
    );
    content.multi("flat/x", "1", &["linux/amd64", "linux/s390x"], "a");
    let to = Server::of(content);
    let d = to.name();
    let dir = Dir::new();
    for template in ["mirror/{registry}/{path}", "flat/{name}"] {
        let run = dir
            .validate()
            .args(&format!("-f - -s {s} -d {d}/{template}"))
            .stdin("team/x:1\n")
            .run();
        run.code(0).has("1 image: 1 passed");
    }
    dir.validate()
        .args(&format!("-f - -d {d}/{{tag}}"))
        .stdin("")
        .run()
        .code(2)
        .one_error("\"{tag}\" is not a placeholder (expected {registry}, {path} or {name})");
}

#[test]
fn ten_megabytes_of_yaml_take_less_than_sixty_of_memory() {
    use std::fmt::Write as _;
    let dir = Dir::new();
    let mut yaml =
        "x-both: &both [linux/amd64, linux/arm64]\nx-image: &image {type: image}\nsync:\n"
            .to_owned();
    let mut pairs = 0;
    while yaml.len() < 10_000_000 {
        let name = format!("rancher/mirrored-some-image-{pairs}:v1.{}.2", pairs % 50);
        let target = format!("registry.example.com/{name}");
        let more = match pairs % 10 {
            0 => "  <<: *image",
            1 => "  type: image\n  platforms: *both",
            _ => "  type: image",
        };
        writeln!(yaml, "- source: {name}\n  target: {target}\n{more}").unwrap();
        pairs += 1;
    }
    dir.write("regsync.yaml", &yaml);
    // The list is read first; then the run ends, because there is no such recording. A child of this
    // process would inherit its peak, so a small process measures.
    let measure = "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); \
                   print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let output = std::process::Command::new("/usr/bin/python3")
        .args(["-c", measure, env!("CARGO_BIN_EXE_image-tools")])
        .args("mirror-validate -f regsync.yaml --recorded nowhere.json".split(' '))
        .current_dir(dir.path())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("nowhere.json"), "{error}");
    let used: u64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap();
    let used = used / 1024;
    assert!((10..60).contains(&used), "{used} MiB for {pairs} pairs");
}

#[test]
fn several_files_are_one_list_and_a_pipe_with_jobs_is_one_too() {
    let registry = registry();
    let dir = Dir::new();
    let flags = format!("-s {} -d {}", registry.name(), registry.alias());
    dir.write("a.txt", "team/x team/x 1\nteam/x team/gone 1\n");
    dir.write("b.txt", "# more\nteam/x team/x 1\nnonsense\n");
    let run = dir
        .validate()
        .args(&format!("-f a.txt -f b.txt {flags}"))
        .run();
    run.code(1)
        .has("[M_ID:3] PASS")
        .has("[ERRO] b.txt:3: 1 field instead of 3")
        .has("4 images: 2 passed, 1 failed, 1 not validated");
    assert_eq!(
        dir.read("mirror-validate-failed.txt"),
        "team/x team/gone 1\nnonsense\n"
    );
    // Nothing failed: what is read as a list removes an earlier failed list, what is typed does not.
    for (jobs, removes) in [("", false), ("-j 4", true)] {
        let run = dir
            .validate()
            .args(&format!("{jobs} {flags}"))
            .stdin("team/x team/x 1\n")
            .run();
        run.code(0).has("1 image: 1 passed").has_not("[WARN] -j");
        assert_eq!(!dir.has("mirror-validate-failed.txt"), removes, "{jobs}");
    }
}
