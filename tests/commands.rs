//! Runs the commands in the documents as printed, against scripted registries.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{Content, Dir, Run, Server};

/// Programs of others, which are not run. A command that is neither here nor of image-tools fails
/// the test.
const FOREIGN: &[&str] = &[
    "cp",
    "jq",
    "make",
    "mkdir",
    "openssl",
    "parallel",
    "sudo",
    "srun",
    "systemctl",
];

/// Commands whose exit code is not 0.
const OTHER_CODES: &[(&str, &[i32])] = &[
    // Two recordings differ in nothing but their second.
    ("diff sources.json now.json", &[0, 1]),
    // A failed list has lines that failed.
    ("merge failed.txt", &[1]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The READMEs and the topics, by their paths.
fn documents() -> Vec<(String, String)> {
    let topics = fs::read_dir(root().join("src/help")).unwrap();
    let mut names: Vec<String> = topics
        .map(|file| format!("src/help/{}", file.unwrap().file_name().display()))
        .collect();
    names.extend(["README.md", "README.zh-CN.md"].map(str::to_owned));
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let text = fs::read_to_string(root().join(&name)).unwrap();
            (name, text)
        })
        .collect()
}

/// The commands of a document: lines of `sh` blocks, lines of `console` blocks behind `$ `, and
/// indented lines of topics that begin with a program.
fn commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let (mut block, mut goes_on) = ("", false);
    for line in text.lines() {
        let command = match (line.strip_prefix("```"), block) {
            (Some(kind), "") => {
                block = if kind.is_empty() { "none" } else { kind };
                continue;
            }
            (Some(_), _) => {
                block = "";
                continue;
            }
            (None, "sh") => Some(line),
            (None, "console") => line.strip_prefix("$ "),
            (None, "") => line
                .strip_prefix("    ")
                .filter(|line| goes_on || is_command(line)),
            _ => None,
        };
        let Some(command) = command.filter(|line| !line.is_empty() && !line.starts_with('#'))
        else {
            goes_on = false;
            continue;
        };
        let (part, is_open) = match command.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (command, false),
        };
        match commands.last_mut() {
            Some(last) if goes_on => last.push_str(part),
            _ => commands.push(part.to_owned()),
        }
        goes_on = is_open;
    }
    commands
}

/// The first word that assigns no variable.
fn program(command: &str) -> &str {
    let is_assignment = |word: &&str| word.contains('=') && !word.starts_with('-');
    let mut words = command.split_whitespace().skip_while(is_assignment);
    words.next().unwrap_or_default()
}

/// Whether an indented line of a topic is a command, not a row of a table.
fn is_command(line: &str) -> bool {
    if line.starts_with(' ') {
        return false;
    }
    let is_row = line.trim_end().contains("    ");
    let name = program(line);
    !is_row && (name == "image-tools" || FOREIGN.contains(&name))
}

/// A host with a list, its registries, and everything that the documents take for granted.
struct Host {
    dir: Dir,
    source: Server,
    destination: Server,
}

impl Host {
    fn new() -> Self {
        let mut content = Content::default();
        content.multi("team/x", "1", &["linux/amd64", "linux/arm64"], "a");
        content.multi("library/y", "1", &["linux/amd64", "linux/arm64"], "a");
        let host = Self {
            dir: Dir::new(),
            source: Server::of(content.clone()),
            destination: Server::of(content),
        };
        fs::create_dir(host.dir.path().join("bin")).unwrap();
        symlink(
            env!("CARGO_BIN_EXE_image-tools"),
            host.dir.path().join("bin/image-tools"),
        )
        .unwrap();
        for folder in ["out", "etc/bash_completion.d", "man1", "textfile"] {
            fs::create_dir_all(host.dir.path().join(folder)).unwrap();
        }
        host.reset();
        for command in [
            "image-tools mirror-validate -f list.txt --record sources.json",
            "image-tools mirror-validate -f list.txt --report report.json",
            "image-tools mirror-validate -f list.txt --shard 0/2 --report shard-0.json",
            "image-tools mirror-validate -f list.txt --shard 1/2 --report shard-1.json",
        ] {
            host.run(command).code(0);
        }
        host
    }

    /// Lists as they are before a command, because it may write them.
    fn reset(&self) {
        let list = "team/x team/x 1\nlibrary/y library/y 1\n";
        for name in [
            "list.txt",
            "image-list.txt",
            "list/list.txt",
            "mirror-validate-failed.txt",
            "failed-0.txt",
            "more.txt",
        ] {
            self.dir.write(name, list);
        }
        self.dir.write(
            "regsync.yaml",
            "sync:\n- source: team/x:1\n  target: team/x:1\n  type: image\n",
        );
    }

    /// Runs a command in a shell, with this host's places and registries.
    fn run(&self, command: &str) -> Run {
        let here = self.dir.path().display().to_string();
        let mut command = command.to_owned();
        for (name, place) in [
            ("docker.io", self.source.name()),
            ("private.registry.io", self.destination.name()),
            ("reg.example.com", self.destination.name()),
            ("reg.local", self.destination.name()),
            ("/list/", format!("{here}/list/")),
            ("/out/", format!("{here}/out/")),
            (
                "/etc/bash_completion.d/",
                format!("{here}/etc/bash_completion.d/"),
            ),
            ("/usr/local/share/man/man1/", format!("{here}/man1/")),
            (
                "/var/lib/node_exporter/textfile/",
                format!("{here}/textfile/"),
            ),
        ] {
            command = command.replace(name, &place);
        }
        self.dir
            .command("sh")
            .arg("-c")
            .arg(command)
            .env("PATH", format!("{here}/bin:/usr/bin:/bin"))
            .env("SOURCE_REGISTRY", self.source.name())
            .env("DEST_REGISTRY", self.destination.name())
            .run()
    }
}

#[test]
fn every_command_of_the_documents_runs() {
    let (mut run, mut foreign) = (0, Vec::new());
    let host = Host::new();
    for (name, text) in documents() {
        for command in commands(&text) {
            // The output of this one is compared below.
            if name == "README.md" && command.contains(" 127.0.0.1:") || command.contains("-s 127.")
            {
                continue;
            }
            let program = program(&command);
            if program != "image-tools" {
                assert!(FOREIGN.contains(&program), "{name}: unknown: {command}");
                foreign.push(program.to_owned());
                continue;
            }
            host.reset();
            let expected = OTHER_CODES
                .iter()
                .find_map(|(part, codes)| command.contains(part).then_some(*codes));
            let result = host.run(&command);
            if !command.contains("--report -") {
                result.error("");
            }
            let code = result.status.code().unwrap_or(-1);
            if !expected.unwrap_or(&[0]).contains(&code) {
                result.fail(&format!("one of the exit codes {expected:?}"));
            }
            run += 1;
        }
    }
    assert!(run > 30, "{run}");
    for name in FOREIGN {
        assert!(foreign.iter().any(|used| used == name), "{name} is unused");
    }
}

#[test]
fn an_unknown_command_or_flag_is_noticed() {
    let text = "x\n\n```sh\n# no\nimage-tools a \\\n  b\nrm -r x\n```\n\n```console\n$ image-tools c\nout\n```\n\n    \
                image-tools d\n    image-tools    a table\n    FOO=1 image-tools e\n";
    assert_eq!(
        commands(text),
        [
            "image-tools a   b",
            "rm -r x",
            "image-tools c",
            "image-tools d",
            "FOO=1 image-tools e"
        ]
    );
    assert!(!FOREIGN.contains(&program("rm -r x")));
    let host = Host::new();
    let run = host.run("image-tools mirror-validate -f list.txt --no-such-flag");
    run.code(2);
}

#[test]
fn the_readme_shows_real_output() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, block) = readme.split_once("```console\n$ ").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let (command, expected) = block.split_once('\n').unwrap();
    let (mut source, mut destination) = (Content::default(), Content::default());
    for content in [&mut source, &mut destination] {
        content.multi(
            "library/alpine",
            "3.22",
            &["linux/amd64", "linux/arm64"],
            "a",
        );
    }
    source.multi("library/busybox", "1.37", &["linux/amd64"], "a");
    let (source, destination) = (Server::of(source), Server::of(destination));
    let word = |flag: &str| {
        let mut words = command.split(' ').skip_while(|word| *word != flag);
        words.nth(1).unwrap()
    };
    let (old_source, old_destination) = (word("-s"), word("-d"));
    let dir = Dir::new();
    dir.write(
        "list.txt",
        "library/alpine library/alpine 3.22\nlibrary/busybox library/busybox 1.37\n",
    );
    let args = command
        .strip_prefix("image-tools ")
        .unwrap()
        .replace(old_source, &source.name())
        .replace(old_destination, &destination.name());
    let run = dir.program().args(&args).run();
    run.code(1).error("");
    let printed = run
        .log()
        .join("\n")
        .replace(&source.name(), old_source)
        .replace(&destination.name(), old_destination);
    // The time of an entry, the times of the run; the order of images is that of their ends.
    let comparable = |line: &str| {
        let line = line.split(": started ").next().unwrap();
        // 0.0s; under load more.
        match line.split_once("s; ") {
            Some((head, tail)) => format!(
                "{}{tail}",
                head.trim_end_matches(|c: char| c == '.' || c.is_ascii_digit())
            ),
            None => line.to_owned(),
        }
    };
    let mut expected: Vec<String> = expected
        .lines()
        .map(|line| comparable(&line[9..]))
        .collect();
    let mut printed: Vec<String> = printed.lines().map(comparable).collect();
    expected.sort();
    printed.sort();
    assert_eq!(printed, expected);
}

#[test]
fn make_has_the_targets_that_the_documents_name() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let has = |target: &str| makefile.contains(&format!("\n{target}:"));
    let mut named = Vec::new();
    for (name, text) in documents() {
        for line in text.lines() {
            for start in ["make ", "`make ", "sudo make "] {
                let line = line.trim_start();
                let rest = match start.starts_with('`') {
                    true => line.split_once(start).map(|(_, rest)| rest),
                    false => line.strip_prefix(start),
                };
                let Some(rest) = rest else { continue };
                let target: String = rest
                    .chars()
                    .take_while(|letter| letter.is_ascii_lowercase() || *letter == '-')
                    .collect();
                assert!(has(&target), "{name}: make {target}: {line}");
                named.push(target);
            }
        }
    }
    assert!(named.len() > 5, "{named:?}");
}
