//! The manual in the program: `help TOPIC`, `help CODE`, and the man page.

use std::fs;
use std::path::Path;

use crate::support::Dir;

/// The files of `src/help/`, by topic.
fn topics() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/help");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn every_file_is_a_topic_that_help_lists_and_prints() {
    let dir = Dir::new();
    let overview = dir.program().arg("help").run().stdout;
    for (name, text) in topics() {
        let run = dir.program().args(&format!("help {name}")).run();
        run.code(0).error("");
        assert_eq!(run.stdout, text);
        assert!(overview.contains(&format!("\n  {name} ")), "{name}");
    }
}

#[test]
fn every_reason_code_and_every_command_is_explained() {
    let dir = Dir::new();
    for (name, text) in [
        ("index-differs", "# index-differs\n\nFAILED. "),
        ("unreachable", "# unreachable\n\nNOT VALIDATED. "),
        ("completion", "Usage of completion: "),
        ("man", "Usage of man: "),
        ("mirror-validate", "Usage of mirror-validate:\n"),
    ] {
        let run = dir.program().args(&format!("help {name}")).run();
        run.code(0).error("");
        assert!(run.stdout.starts_with(text), "{}", run.stdout);
    }
    for (typed, nearest) in [
        ("index-difers", "index-differs"),
        ("credential", "credentials"),
        ("mirror-validat", "mirror-validate"),
    ] {
        dir.program()
            .args(&format!("help {typed}"))
            .run()
            .code(2)
            .one_error(&format!(
                "no help on \"{typed}\"; did you mean \"{nearest}\"?"
            ));
    }
}

/// The arguments of a macro on each of its lines of the man page.
fn headings(name: &str) -> Vec<String> {
    let page = Dir::new().program().arg("man").run().stdout;
    let lines = page.lines().filter_map(|line| line.strip_prefix(name));
    lines.map(ToOwned::to_owned).collect()
}

#[test]
fn the_man_page_has_the_sections_of_a_man_page() {
    assert_eq!(
        headings(".SH "),
        [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "EXAMPLES",
            "LIST FORMAT",
            "FLAGS",
            "VERDICTS",
            "EXIT STATUS",
            "DIAGNOSTICS",
            "CREDENTIALS",
            "CERTIFICATES",
            "FILES",
            "ENVIRONMENT",
            "SEE ALSO"
        ]
    );
}

/// roff takes quotation marks in the arguments of a macro away: a message would not be found.
#[test]
fn the_headings_of_the_man_page_keep_their_quotation_marks() {
    let headings = headings(".SS ");
    let quoted = r"source digest \(dq...\(dq != dest digest \(dq...\(dq";
    assert!(
        headings.iter().any(|heading| heading == quoted),
        "{headings:#?}"
    );
    assert!(
        headings.iter().all(|line| !line.contains('"')),
        "{headings:#?}"
    );
}
