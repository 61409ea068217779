//! Help, README, man page and completions know every flag.

use std::fs;
use std::path::Path;

use crate::support::{Dir, skip};

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
    let help = ["mirror-validate", "list", "merge", "remedy"]
        .map(|name| dir.program().args(name).arg("--help").run().stdout)
        .concat();
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
        .one_error("invalid value \"tcsh\" for completion (expected bash, zsh, fish)");
    let bash = dir.program().args("completion bash").run();
    dir.write("bash", &bash.code(0).stdout);
    let script = "source ./bash; COMP_WORDS=(image-tools mirror-validate --pro); COMP_CWORD=2; _image_tools; echo \"${COMPREPLY[@]}\"; \
                  COMP_WORDS=(image-tools mirror-validate --color n); COMP_CWORD=3; _image_tools; echo \"${COMPREPLY[@]}\"; \
                  COMP_WORDS=(image-tools m); COMP_CWORD=1; _image_tools; echo \"${COMPREPLY[@]}\"; \
                  COMP_WORDS=(image-tools list --un); COMP_CWORD=2; _image_tools; echo \"${COMPREPLY[@]}\"; \
                  COMP_WORDS=(image-tools list --unique ba); COMP_CWORD=3; _image_tools; echo \"${COMPREPLY[@]}\"";
    let run = dir.command("bash").arg("-c").arg(script).run();
    run.code(0).error("");
    assert_eq!(
        run.stdout,
        "--progress\nnever\nmirror-validate merge man\n--unique\nbash\n"
    );
    let man = dir.program().arg("man").run();
    dir.write("image-tools.1", &man.code(0).stdout);
    for (program, args) in [
        ("man", "--warnings -l image-tools.1"),
        ("groff", "-ww -man -Tutf8 image-tools.1"),
    ] {
        let found = std::process::Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        if !found.is_ok_and(|output| output.status.success()) {
            skip(&format!("no {program} to read the man page with"));
            continue;
        }
        let run = dir
            .command(program)
            .args(args)
            .env("MANPAGER", "cat")
            .env("MANWIDTH", "80")
            .run();
        run.code(0).error("");
    }
}
