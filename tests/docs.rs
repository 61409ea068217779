//! Help, man page and completions know every flag, and the READMEs name no others.

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
        let bare = name.trim_start_matches('-');
        let option = match (name.starts_with("--"), bare.len()) {
            (true, _) => format!("-l {bare} "),
            (false, 1) => format!("-s {bare} "),
            (false, _) => format!("-o {bare} "),
        };
        assert!(scripts[2].contains(&option), "{name} is not in fish");
    }
}

/// What stands between backticks, without fenced blocks.
fn spans(text: &str) -> Vec<String> {
    let mut is_fenced = false;
    let mut spans = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            spans.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    spans
}

const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];

#[test]
fn the_readmes_name_only_flags_that_exist() {
    let mut known = names();
    known.extend(["-h", "-v", "--help"].map(str::to_owned));
    for name in READMES {
        let text = source(name);
        let mut count = 0;
        for span in spans(&text) {
            for flag in span.split(", ").filter(|part| part.starts_with('-')) {
                let flag = flag.split([' ', '=']).next().unwrap();
                // A flag that is named in a sentence about skopeo.
                if flag == "--all" {
                    continue;
                }
                assert!(known.iter().any(|known| known == flag), "{name}: {flag}");
                count += 1;
            }
        }
        assert!(count > 20, "{name}: {count}");
        assert!(text.starts_with("English | [简体中文](README.zh-CN.md)\n"));
    }
    assert!((170..=200).contains(&source("README.md").lines().count()));
}

#[test]
fn the_table_of_messages_is_that_of_the_manual() {
    let readme = source("README.md");
    let (_, table) = readme.split_once("| message |").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let messages: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    assert_eq!(messages.len(), 12);
    let manual = source("src/help/messages.md");
    for message in messages {
        assert!(manual.contains(&format!("\n## {message}\n")), "{message}");
    }
}

#[test]
fn links_lead_to_files() {
    for name in READMES {
        let text = source(name);
        let links: Vec<&str> = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .filter(|link| !link.contains("://"))
            .collect();
        assert!(links.len() > 5, "{links:?}");
        for link in links {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(link);
            assert!(path.exists(), "{name}: {link}");
        }
    }
    let readme = source("README.md");
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/help")).unwrap() {
        let file = file.unwrap().file_name();
        let link = format!("](src/help/{})", file.display());
        assert!(readme.contains(&link), "{link}");
    }
}

/// All files below a folder, one after the other.
fn below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &below(&path);
        } else if path
            .extension()
            .is_some_and(|end| end == "rs" || end == "md")
        {
            text += &fs::read_to_string(&path).unwrap();
        }
    }
    text
}

/// The Chinese README quotes English messages: whoever searches for one finds it there.
#[test]
fn the_chinese_readme_quotes_messages_and_codes_that_exist() {
    let text = source("README.zh-CN.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts = below(&root.join("src")).replace("\\\"", "\"");
    let is_message = |span: &str| {
        span.is_ascii()
            && span.contains(' ')
            && ![
                "image-tools ",
                "skopeo ",
                "make ",
                "docker ",
                "podman ",
                "systemctl ",
                "-",
            ]
            .iter()
            .any(|start| span.starts_with(start))
    };
    let (_, faq) = text.split_once("## 常见报错").expect("the FAQ");
    let (faq, _) = faq.split_once("\n## ").expect("another section");
    let mut count = 0;
    for span in spans(faq).iter().filter(|span| is_message(span)) {
        let pieces = span
            .split(['*', '<', '>', '[', ']'])
            // The type of the example.
            .flat_map(|piece| piece.split(": application/"))
            .map(str::trim);
        for piece in pieces.filter(|piece| piece.len() > 8 && piece.contains(' ')) {
            assert!(texts.contains(piece), "{span}: {piece}");
            count += 1;
        }
    }
    assert!(count >= 10, "{count}");
    let codes = source("src/help/codes.md");
    let (_, table) = text.split_once("| 原因码 |").expect("the codes");
    let rows = table.lines().take_while(|line| !line.is_empty());
    let named: Vec<&str> = rows
        .filter_map(|row| row.strip_prefix("| `")?.split('`').next())
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for code in named {
        assert!(codes.contains(&format!("\n## {code}\n")), "{code}");
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
