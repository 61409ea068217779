//! The command line: Go's forms, help, hints, clamped jobs, the environment.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{Content, Dir, Server};

/// A registry with the image `team/x:1`.
fn registry() -> Server {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64", "linux/arm64"], "a");
    Server::of(content)
}

#[test]
fn help_is_in_the_layout_of_the_original() {
    let dir = Dir::new();
    for args in [
        "mirror-validate -h",
        "mirror-validate --help",
        "mirror-validate -help",
        "help mirror-validate",
    ] {
        let run = dir.program().args(args).run();
        run.code(0).error("").has(
            "Usage of mirror-validate:\n  -a string\n        architecture list of images, separate with ',' (default \"amd64,arm64\")\n",
        );
        let flags: Vec<&str> = run
            .stdout
            .lines()
            .filter(|line| line.starts_with("  -"))
            .map(|line| line.trim().split(' ').next().unwrap())
            .collect();
        assert_eq!(flags[..7], ["-a", "-d", "-debug", "-f", "-j", "-o", "-s"]);
        run.has("maximum is 20 (default 1)")
            .has("(default \"mirror-validate-failed.txt\")");
        assert_eq!(run.stdout.contains("--shard"), !args.ends_with(" -h"));
    }
    let short = dir.validate().arg("-h").run().stdout;
    assert!(short.lines().count() <= 24, "{short}");
    for args in ["", "-h", "--help", "help"] {
        dir.program()
            .args(args)
            .run()
            .code(0)
            .error("")
            .has("mirror-validate")
            .has("Usage:");
    }
    for args in ["-v", "--version", "version", "mirror-validate --version"] {
        dir.program()
            .args(args)
            .run()
            .code(0)
            .has(&format!("image-tools {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn a_typing_mistake_is_one_line_with_a_hint() {
    let dir = Dir::new();
    for (args, message) in [
        (
            "mirror-validat",
            "unknown command \"mirror-validat\"; did you mean \"mirror-validate\"?",
        ),
        (
            "xyzzy",
            "unknown command \"xyzzy\"; use -h for the list of commands",
        ),
        (
            "mirror-validate -debgu",
            "unknown flag \"-debgu\"; did you mean \"-debug\"?",
        ),
        (
            "mirror-validate -fj",
            "unknown flag \"-fj\"; use -h for the list of flags",
        ),
        (
            "mirror-validate -j10",
            "unknown flag \"-j10\"; did you mean \"-j 10\"?",
        ),
        (
            "mirror-validate -a=",
            "the value of -a is empty; give a value, or omit the flag",
        ),
        (
            "mirror-validate -debug --os=",
            "the value of --os is empty; give a value, or omit the flag",
        ),
        (
            "man mirror-validate",
            "unexpected argument \"mirror-validate\"; use -h for the usage",
        ),
        (
            "completion bash zsh",
            "unexpected argument \"zsh\"; use -h for the usage",
        ),
        (
            "mirror-validate -j abc",
            "invalid value \"abc\" for -j (expected a number from 1 to 20)",
        ),
        ("mirror-validate -j", "flag -j needs a value"),
        (
            "mirror-validate list.txt",
            "unexpected argument \"list.txt\"; use -f FILE for an image list",
        ),
        (
            "mirror-validate -debug=perhaps",
            "invalid value \"perhaps\" for -debug (expected true or false)",
        ),
    ] {
        dir.program()
            .args(args)
            .run()
            .code(2)
            .has_not(" ")
            .error(&format!("image-tools: {message}\n"));
    }
    for flag in ["-o", "-f", "--report", "--failed", "-s"] {
        let name = flag.replace("--failed", "-o");
        dir.validate()
            .arg(flag)
            .arg("")
            .run()
            .code(2)
            .one_error(&format!("image-tools: the value of {name} is empty; "));
    }
    let error = dir.program().args("mirror-validate -s http://reg.io").run();
    error
        .code(2)
        .one_error("invalid value \"http://reg.io\" for -s");
    let error = dir.validate().env("DEST_REGISTRY", "reg io").run();
    error
        .code(2)
        .one_error("invalid value \"reg io\" for $DEST_REGISTRY");
    dir.program()
        .arg("mirror-validate")
        .arg("-\x1b[31m")
        .run()
        .code(2)
        .one_error("-\\u{1b}[31m");
}

#[test]
fn flags_in_all_forms_and_the_command_by_its_link() {
    let registry = registry();
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    let (name, mirror) = (registry.name(), registry.alias());
    for flags in [
        format!("-f list.txt -s {name} -d {mirror} -j 2 -o failed.txt -a amd64,arm64"),
        format!("-f=list.txt -s={name} -d={mirror} -j=2 -o=failed.txt -a=amd64"),
        format!("--f list.txt --s {name} --d {mirror} --j 2 --o failed.txt -debug=false"),
        format!(
            "--file list.txt --source {name} --destination {mirror} --jobs 2 --failed failed.txt --arch arm64"
        ),
        format!(
            "-file=list.txt -source={name} -destination={mirror} -jobs=2 -output=failed.txt --debug"
        ),
    ] {
        dir.validate()
            .args(&flags)
            .run()
            .code(0)
            .has("[M_ID:1] PASS")
            .has("1 image: 1 passed");
    }
    symlink(
        env!("CARGO_BIN_EXE_image-tools"),
        dir.path().join("mirror-validate"),
    )
    .unwrap();
    let linked = dir.command(dir.path().join("mirror-validate"));
    linked
        .args(&format!("-f list.txt -s {name} -d {mirror}"))
        .run()
        .code(0)
        .has("PASS");
    dir.command(dir.path().join("mirror-validate"))
        .arg("-h")
        .run()
        .code(0)
        .has("Usage of mirror-validate:");
}

#[test]
fn a_password_in_a_name_is_refused_and_not_printed() {
    let dir = Dir::new();
    for flags in [
        "-s me:hunter2@reg.io",
        "-d https://me:hunter2@reg.io",
        "-d me:hunter2@host",
    ] {
        let run = dir.validate().args(flags).stdin("a/x a/x 1\n").run();
        run.code(2).one_error("me:…@");
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    }
    for name in ["SOURCE_REGISTRY", "DEST_REGISTRY"] {
        let run = dir
            .validate()
            .env(name, "me:hunter2@reg.io")
            .stdin("")
            .run();
        run.code(2);
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    }
    let lines = "me:hunter2@reg.io/a/x reg.io/a/x 1\nhttps://me:hunter2@reg.io/x:1\nme:hunter2@reg.io/x:1\n";
    for flags in ["", "-debug", "--report report.json"] {
        let run = dir.validate().args(flags).stdin(lines).run();
        run.code(3).has("me:…@reg.io").has_not("hunter2");
    }
    assert!(!dir.read("report.json").contains("hunter2"));
    assert_eq!(dir.read("mirror-validate-failed.txt"), lines);
}

#[test]
fn jobs_are_clamped_with_a_warning() {
    let registry = registry();
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    let registries = format!("-s {0} -d {1}", registry.name(), registry.alias());
    for (flags, warning) in [
        (
            "-f list.txt -j 0",
            "[WARN] -j 0 is below the minimum; using 1 job",
        ),
        (
            "-f list.txt -j -7",
            "[WARN] -j -7 is below the minimum; using 1 job",
        ),
        (
            "-f list.txt -j 100",
            "[WARN] -j 100 is above the maximum; using 20 jobs",
        ),
    ] {
        let run = dir
            .validate()
            .args(&registries)
            .args(flags)
            .stdin("team/x team/x 1\n")
            .run();
        run.code(0).has("1 passed");
        assert_eq!(
            run.log()
                .iter()
                .filter(|line| line.contains("[WARN]"))
                .collect::<Vec<_>>(),
            [warning]
        );
    }
    let run = dir
        .validate()
        .args(&registries)
        .args("-f - -j 20")
        .stdin("team/x team/x 1\n")
        .run();
    run.code(0).has_not("WARN");
}

#[test]
fn lists_of_repeated_flags_add_up_and_of_others_the_last_counts() {
    let mut content = Content::default();
    let names = ["linux/amd64", "linux/arm64", "windows/amd64"];
    content.multi("team/x", "1", &names, "a");
    let source = Server::of(content.clone());
    // Another arm64 and another Windows than at the source.
    let mut copy = Content::default();
    copy.multi("team/x", "1", &names, "b");
    let destination = Server::of(copy);
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    let flags = format!(
        "-f list.txt -s {} -d {} -o unused.txt -o failed.txt --jobs 2 -j 2",
        source.name(),
        destination.name()
    );
    let run = dir
        .validate()
        .args(&flags)
        .args("-a arm64 --arch amd64 --os linux --os windows")
        .run();
    run.code(1);
    for platform in ["linux/arm64", "linux/amd64", "windows/amd64"] {
        run.has(&format!("{platform}: other digest: "));
    }
    assert_eq!(
        run.log()
            .iter()
            .filter(|line| line.contains("[WARN]"))
            .collect::<Vec<_>>(),
        [
            "[WARN] -o was given more than once: using the last value, \"failed.txt\", and ignoring \"unused.txt\""
        ]
    );
    assert!(dir.has("failed.txt") && !dir.has("unused.txt"));
}

#[test]
fn only_a_reader_that_has_gone_away_is_no_error_of_standard_output() {
    let dir = Dir::new();
    let program = env!("CARGO_BIN_EXE_image-tools");
    for args in [
        "man",
        "help",
        "completion bash",
        "version",
        "-h",
        "mirror-validate -h",
        "mirror-validate --version",
    ] {
        let script = format!("'{program}' {args} >/dev/full");
        dir.command("sh").arg("-c").arg(script).run().code(2).error(
            "image-tools: cannot write to standard output: No space left on device (os error 28)\n",
        );
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let closed = Command::new(program)
            .args(args.split(' '))
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!(closed.status.code(), Some(0), "{args}");
        assert_eq!(String::from_utf8_lossy(&closed.stderr), "", "{args}");
    }
}

#[test]
fn the_environment_gives_registries_and_a_flag_wins() {
    let registry = registry();
    let dir = Dir::new();
    let (name, mirror) = (registry.name(), registry.alias());
    let from_environment = dir
        .validate()
        .env("SOURCE_REGISTRY", &name)
        .env("DEST_REGISTRY", &mirror);
    from_environment
        .stdin("docker.io/team/x team/x 1\n")
        .run()
        .code(0)
        .has("PASS");
    let from_flag = dir
        .validate()
        .env("SOURCE_REGISTRY", "127.0.0.1:1")
        .env("DEST_REGISTRY", "127.0.0.1:1");
    from_flag
        .args(&format!("-s {name} -d {mirror}"))
        .stdin("team/x team/x 1\n")
        .run()
        .code(0)
        .has("PASS");
}

#[test]
fn a_destination_without_project_gets_the_default_one() {
    let mut content = Content::default();
    content.multi("hello-world", "latest", &["linux/amd64"], "a");
    content.multi("library/hello-world", "latest", &["linux/amd64"], "a");
    content.multi("team/hello-world", "latest", &["linux/amd64"], "a");
    let registry = Server::of(content);
    let dir = Dir::new();
    let (name, mirror) = (registry.name(), registry.alias());
    let flags = format!("-s {name} -d {mirror}");
    let list = "hello-world hello-world latest\n";
    dir.validate()
        .args(&flags)
        .stdin(list)
        .run()
        .code(0)
        .has(&format!("== [{mirror}/library/hello-world:latest]"));
    let run = dir
        .validate()
        .args(&flags)
        .args("-default-project team")
        .stdin(list)
        .run();
    run.code(0).has(&format!(
        "PASS [{name}/hello-world:latest] == [{mirror}/team/hello-world:latest]"
    ));
    // The example of the original's documentation.
    dir.validate()
        .args(&flags)
        .stdin("hello-world library/hello-world latest\n")
        .run()
        .code(0)
        .has("PASS");
}

#[test]
fn debug_logs_each_request_without_secrets() {
    let registry = registry();
    let dir = Dir::new();
    let run = dir
        .validate()
        .args(&format!(
            "-debug -s {0} -d {1}",
            registry.name(),
            registry.alias()
        ))
        .env("DEST_USERNAME", "user")
        .env("DEST_PASSWORD", "hunter2")
        .stdin("team/x team/x 1\n")
        .run();
    run.code(0).has_not("hunter2");
    run.has(&format!(
        "[DEBU] [M_ID:1] GET http://{}/v2/team/x/manifests/1: 200 OK, ",
        registry.name()
    ));
    run.has(" ms, kept connection");
}
