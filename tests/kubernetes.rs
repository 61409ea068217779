//! The Kubernetes manifests of `fixtures/kubernetes` and of `help kubernetes`, checked by `kubernetes-validate` with
//! the schemas of Kubernetes.

use std::path::Path;

use crate::support::{Dir, Run, skip};

/// The newest and an older release that clusters run.
const RELEASES: [&str; 2] = ["1.31.0", "1.37.0"];

/// What `kubernetes-validate` says of `file`; `None`: it is not installed.
fn check(dir: &Dir, release: &str, file: &str) -> Option<Run> {
    let program = std::env::var("IMAGE_TOOLS_KUBERNETES_VALIDATE")
        .unwrap_or_else(|_| "kubernetes-validate".to_owned());
    if std::process::Command::new(&program)
        .arg("--version")
        .output()
        .is_err()
    {
        skip("no kubernetes-validate");
        return None;
    }
    let args = format!("--strict -k {release} {file}");
    Some(dir.command(&program).args(&args).run())
}

fn is_valid(dir: &Dir, file: &str) {
    for release in RELEASES {
        if let Some(run) = check(dir, release, file) {
            run.code(0).error("");
        }
    }
}

fn manifests() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubernetes");
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(file.path()).unwrap())
        })
        .collect()
}

#[test]
fn the_manifests_follow_the_schemas_of_kubernetes() {
    let dir = Dir::new();
    let manifests = manifests();
    assert!(manifests.len() >= 2, "{manifests:?}");
    for (name, text) in manifests {
        dir.write(&name, text);
        is_valid(&dir, &name);
    }
}

#[test]
fn a_misspelled_field_or_a_wrong_type_is_found() {
    let dir = Dir::new();
    let (_, job) = manifests()
        .into_iter()
        .find(|(name, _)| name == "indexed-job.yaml")
        .unwrap();
    for (from, to, found) in [
        (
            "backoffLimitPerIndex",
            "backofLimitPerIndex",
            "'backofLimitPerIndex' was unexpected",
        ),
        (
            "mountPath",
            "mountpath",
            "'mountPath' is a required property",
        ),
        (
            "completions: 8",
            "completions: \"8\"",
            "spec.completions: '8' is not of type 'integer'",
        ),
    ] {
        assert!(job.contains(from), "{from}");
        dir.write("broken.yaml", job.replace(from, to));
        for release in RELEASES {
            if let Some(run) = check(&dir, release, "broken.yaml") {
                assert_eq!(run.status.code(), Some(1), "{to}");
                assert!(run.stdout.contains(found), "{}", run.stdout);
            }
        }
    }
}

#[test]
fn the_parts_in_the_manual_follow_them_too() {
    let dir = Dir::new();
    let help = dir.program().args("help kubernetes").run();
    let part = |first: &str| -> String {
        let mut lines = help.stdout.lines().skip_while(|line| *line != first);
        let mut text = String::new();
        for line in lines.by_ref().take_while(|line| line.starts_with("    ")) {
            text += &format!("{}\n", &line[4..]);
        }
        assert!(!text.is_empty(), "{first}: {}", help.stdout);
        text
    };
    let indent = |text: String, by: usize| -> String {
        text.lines()
            .map(|line| format!("{}{line}\n", " ".repeat(by)))
            .collect()
    };
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: x}}\nspec:\n  completionMode: Indexed\n  completions: 8\n{}\
         \x20 template:\n    spec:\n      restartPolicy: Never\n      containers:\n      - name: x\n        image: x\n{}",
        indent(part("    backoffLimitPerIndex: 2"), 2),
        indent(part("    env:"), 8),
    );
    dir.write("job.yaml", job);
    is_valid(&dir, "job.yaml");
}
