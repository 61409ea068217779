//! Help, README, man page and completions know every flag, and the README knows every message.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::Dir;

fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// All names of all flags, with their dashes, from the table.
fn names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/flags");
    let files = fs::read_dir(folder).unwrap();
    let table: String = files
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let rows = table
        .lines()
        .filter_map(|line| line.trim().strip_prefix("names: &["));
    let names: Vec<String> = rows
        .flat_map(|row| {
            row.split('"')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(names.len() > 25, "{names:?}");
    names
}

#[test]
fn every_flag_is_everywhere() {
    let dir = Dir::new();
    let help = dir.validate().arg("-h").run().stdout;
    let readme = source("README.md");
    let man = dir.program().arg("man").run().stdout.replace("\\-", "-");
    let scripts: Vec<String> = ["bash", "zsh", "fish"]
        .map(|shell| {
            dir.program()
                .args(&format!("completion {shell}"))
                .run()
                .stdout
        })
        .to_vec();
    for name in names() {
        for (what, text) in [
            ("help", &help),
            ("man page", &man),
            ("bash", &scripts[0]),
            ("zsh", &scripts[1]),
        ] {
            assert!(text.contains(&name), "{name} is not in {what}");
        }
        assert!(
            readme.contains(&format!("`{name}")),
            "{name} is not in the README"
        );
        let bare = name.trim_start_matches('-');
        let option = match (name.starts_with("--"), bare.len()) {
            (true, _) => format!("-l {bare} "),
            (false, 1) => format!("-s {bare} "),
            (false, _) => format!("-o {bare} "),
        };
        assert!(scripts[2].contains(&option), "{name} is not in fish");
    }
}

#[test]
fn the_scripts_and_the_man_page_are_well_formed() {
    let dir = Dir::new();
    dir.program()
        .args("completion tcsh")
        .run()
        .code(2)
        .one_error("invalid value \"tcsh\" for completion (wanted: bash, zsh, fish)");
    let bash = dir.program().args("completion bash").run();
    dir.write("bash", &bash.code(0).stdout);
    let script = "source ./bash; COMP_WORDS=(image-tools mirror-validate --pro); COMP_CWORD=2; _image_tools; echo \"${COMPREPLY[@]}\"; \
                  COMP_WORDS=(image-tools mirror-validate --color n); COMP_CWORD=3; _image_tools; echo \"${COMPREPLY[@]}\"; \
                  COMP_WORDS=(image-tools m); COMP_CWORD=1; _image_tools; echo \"${COMPREPLY[@]}\"";
    let run = dir.command("bash").arg("-c").arg(script).run();
    run.code(0).error("");
    assert_eq!(run.stdout, "--progress\nnever\nmirror-validate man\n");
    let man = dir.program().arg("man").run();
    dir.write("image-tools.1", &man.code(0).stdout);
    for (program, args) in [
        ("man", "--warnings -l image-tools.1"),
        ("groff", "-ww -man -Tutf8 image-tools.1"),
    ] {
        let found = std::process::Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        if found.is_ok_and(|output| output.status.success()) {
            let run = dir
                .command(program)
                .args(args)
                .env("MANPAGER", "cat")
                .env("MANWIDTH", "80")
                .run();
            run.code(0).error("");
        }
    }
}

/// The longest literal parts of the format strings behind these marks, in all of `src/`.
fn messages() -> BTreeSet<String> {
    fn walk(directory: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                found.push(text.split("#[cfg(test)]").next().unwrap().to_owned());
            }
        }
    }
    let mut files = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let marks = [
        "#[error(",
        "Mismatch::new(",
        "Stop::NotValidated(",
        ".remedy(",
        "with_remedy(",
        "warn(",
        "CredentialError::new(",
        "broken(",
        "malformed(",
        "refuse(",
        "reason:",
        "invalid(",
        "trouble(",
        "let answer = ",
        "let remedy = ",
        "Unreadable::Bounds(",
        "Self::Refused(",
        "text:",
        "Self::NotTls(",
        "Self::Timeout(",
        "Failure::Setup(",
    ];
    let mut messages = BTreeSet::new();
    for file in &files {
        for mark in marks {
            for (index, _) in file.match_indices(mark) {
                let rest = &file[index + mark.len()..];
                let Some(quote) = rest
                    .find('"')
                    .filter(|quote| !rest[..*quote].contains([';', '{']))
                else {
                    continue;
                };
                let mut literal = String::new();
                let mut characters = rest[quote + 1..].chars();
                while let Some(character) = characters.next() {
                    match character {
                        '"' => break,
                        '\\' => match characters.next() {
                            // A string goes on in the next line of code.
                            Some('\n') => {
                                let tail = characters.as_str().trim_start();
                                characters = tail.chars();
                            }
                            Some(escaped) => literal.push(escaped),
                            None => break,
                        },
                        character => literal.push(character),
                    }
                }
                let parts = literal.split(['{', '}']).step_by(2);
                if let Some(longest) = parts
                    .max_by_key(|part| part.len())
                    .map(|part| part.trim_matches([' ', ':', ';', ',', ']', '"']))
                    .filter(|part| part.len() >= 14)
                {
                    messages.insert(longest.to_owned());
                }
            }
        }
    }
    messages
}

#[test]
fn the_readme_has_every_message() {
    let readme: String = source("README.md")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("\\|", "|");
    let messages = messages();
    assert!(messages.len() > 60, "{messages:#?}");
    let missing: Vec<&String> = messages
        .iter()
        .filter(|message| !readme.contains(message.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "{} messages are not in the README: {missing:#?}",
        missing.len()
    );
}
