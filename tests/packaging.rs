//! Files of `fixtures/packaging/`: systemd units and the cron file, as users install them.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::support::{Content, Dir, Run, Server, skip};

fn packaging(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("fixtures/packaging").join(name)
}

#[test]
fn systemd_accepts_the_units() {
    let dir = Dir::new();
    let units = ["mirror-validate.service", "mirror-validate.timer"];
    for name in units {
        let text = std::fs::read_to_string(packaging("systemd").join(name)).unwrap();
        dir.write(name, text);
    }
    if std::process::Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        skip("no systemd-analyze to verify the units with");
        return;
    }
    let run = dir
        .command("systemd-analyze")
        .args("verify ./mirror-validate.service ./mirror-validate.timer")
        .run();
    run.code(0).error("");
    let run = dir.command("systemd-analyze").args("calendar 02:30").run();
    run.code(0).has("Normalized form: *-*-* 02:30:00");
    // Broken units are noticed.
    dir.write("broken.service", "[Service]\nExecStart=bin/true\n");
    let run = dir
        .command("systemd-analyze")
        .args("verify ./broken.service")
        .run();
    run.code(1);
}

#[test]
fn the_unit_runs_its_command_in_its_state_directory() {
    let text = std::fs::read_to_string(packaging("systemd/mirror-validate.service")).unwrap();
    let setting = |name: &str| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {name}"))
    };
    assert_eq!(
        setting("WorkingDirectory"),
        format!("%S/{}", setting("StateDirectory"))
    );
    // Failed and not validated images fail the unit.
    assert!(!text.contains("SuccessExitStatus"), "{text}");
    let host = Host::new();
    host.dir.write("list.txt", host.line("1"));
    // As systemd's PATH and environment.
    let run = host.run("", setting("ExecStart"));
    run.code(0).has("1 image: 1 passed");
    host.dir.write("list.txt", host.line("2"));
    host.run("", setting("ExecStart")).code(3);
}

/// A host with the program in `/usr/local/bin`, a `mail` that writes what it gets to a file, and a
/// registry.
struct Host {
    dir: Dir,
    bin: Dir,
    server: Server,
}

impl Host {
    fn new() -> Self {
        let mut content = Content::default();
        content.multi("team/x", "1", &["linux/amd64"], "a");
        content.multi("team/y", "1", &["linux/amd64"], "a");
        let (dir, bin) = (Dir::new(), Dir::new());
        symlink(
            env!("CARGO_BIN_EXE_image-tools"),
            bin.path().join("image-tools"),
        )
        .unwrap();
        let mail = bin.write(
            "mail",
            format!(
                "#!/bin/sh\n{{ echo \"to: $3\"; echo \"subject: $2\"; cat; }} >>{}/mails\n",
                bin.path().display()
            ),
        );
        std::fs::set_permissions(mail, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        Self {
            dir,
            bin,
            server: Server::of(content),
        }
    }

    fn line(&self, tag: &str) -> String {
        let name = self.server.name();
        format!("{name}/team/x {name}/team/y {tag}\n")
    }

    /// Runs a command as cron does: `sh`, a bare environment, and the assignments of the cron file.
    fn run(&self, assignments: &str, command: &str) -> Run {
        let local = self.bin.path().display();
        let dir = self.dir.path().display().to_string();
        let path = format!("{local}:/usr/bin:/bin");
        let script = format!(
            "{}\nexport PATH MAILTO\n{}",
            assignments.replace("/usr/local/bin:/usr/bin:/bin", &path),
            command.replace("/var/lib/mirror-validate", &dir)
        );
        let assigned = match assignments.is_empty() {
            true => format!("PATH={path}"),
            false => "PATH=/usr/bin:/bin".to_owned(),
        };
        self.dir
            .command("/usr/bin/env")
            .args(&format!("-i {assigned} HOME={dir} /bin/sh -c"))
            .arg(script)
            .run()
    }

    fn mails(&self) -> String {
        std::fs::read_to_string(self.bin.path().join("mails")).unwrap_or_default()
    }
}

/// The assignments of the cron file, and its command.
fn cron() -> (String, String) {
    let text = std::fs::read_to_string(packaging("cron")).unwrap();
    let (jobs, assignments): (Vec<&str>, Vec<&str>) = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .partition(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    let [job] = jobs[..] else {
        panic!("one job: {text}")
    };
    let (_, command) = job.split_once("  root  ").expect("the user");
    // In a cron file, % is the end of the command.
    assert!(!command.contains('%'), "{command}");
    (assignments.join("\n"), command.to_owned())
}

#[test]
fn cron_mails_nothing_if_every_image_passed() {
    let (host, (assignments, command)) = (Host::new(), cron());
    host.dir.write("list.txt", host.line("1"));
    let run = host.run(&assignments, &command);
    run.code(0).error("");
    assert_eq!((&*run.stdout, &*host.mails()), ("", ""));
}

#[test]
fn cron_mails_the_log_and_the_exit_code() {
    let (host, (assignments, command)) = (Host::new(), cron());
    let server = host.server.name();
    host.dir
        .write("list.txt", format!("{server}/team/x {server}/team/z 1\n"));
    let run = host.run(&assignments, &command);
    run.error("");
    assert_eq!(run.stdout, "");
    let mails = host.mails();
    assert!(
        mails.starts_with("to: root\nsubject: mirror-validate: exit 1\n"),
        "{mails}"
    );
    assert!(mails.contains("destination manifest does not exists"));
    assert!(mails.contains("1 image: 0 passed, 1 failed"));
}

#[test]
fn cron_mails_why_the_list_cannot_be_read() {
    let (host, (assignments, command)) = (Host::new(), cron());
    let run = host.run(&assignments, &command);
    run.error("");
    let mails = host.mails();
    assert!(
        mails.starts_with("to: root\nsubject: mirror-validate: exit 2\n"),
        "{mails}"
    );
    assert!(
        mails.contains("list.txt: No such file or directory"),
        "{mails}"
    );
}

/// Without comments, empty lines and settings that only harden.
fn settings(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

#[test]
fn the_documents_print_these_files() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let cron = read("fixtures/packaging/cron");
    let cron = settings(&cron).join("\n");
    let service = read("fixtures/packaging/systemd/mirror-validate.service");
    let timer = read("fixtures/packaging/systemd/mirror-validate.timer");
    for name in ["README.md", "README.zh-CN.md"] {
        let text = read(name);
        assert!(text.contains(&format!("```cron\n{cron}\n```\n")), "{name}");
        let printed: Vec<&str> = text.split("```ini\n").skip(1).collect();
        assert!(!printed.is_empty(), "{name}");
        for block in printed {
            let (block, _) = block.split_once("```").unwrap();
            for line in settings(block) {
                let is_there =
                    settings(&service).contains(&line) || settings(&timer).contains(&line);
                assert!(is_there, "{name}: {line}");
            }
        }
    }
    let manual = read("src/help/exit.md").replace("\n    ", "\n");
    assert!(manual.contains(&cron), "{manual}");
}
