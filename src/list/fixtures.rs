//! Every syntax and every mistake: the files of `fixtures/lists`, each with its expected images.
//!
//! `NAME.expected` has a line for each image, `LINE: CANONICAL FORM`, and for each mistake,
//! `LINE: error: MESSAGE`; for a file that cannot be read, `error: MESSAGE`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::entry::Entry;
use super::files::List;
use super::image::{Image, NameRules};
use super::lines::Line;

fn fixtures() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lists");
    let entries = std::fs::read_dir(&directory).expect("fixtures/lists");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_none_or(|extension| extension != "expected")
        })
        .collect();
    files.sort();
    assert!(files.len() > 40);
    files
}

fn rules() -> NameRules {
    NameRules {
        source: None,
        destination: Some("reg.io".parse().expect("an override")),
        default_project: "library".to_owned(),
        sources_only: false,
    }
}

/// All lines of a list; or why it cannot be read.
fn lines(path: &Path) -> Result<Vec<Line>, String> {
    let (mut list, count) =
        List::open_all(&[path.to_path_buf()]).map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    while let Some(line) = list.next_line().map_err(|error| error.to_string())? {
        lines.push(line);
    }
    assert_eq!(count, Some(lines.len() as u64), "{}", path.display());
    assert!(lines.is_sorted_by(|one, other| one.number < other.number));
    Ok(lines)
}

fn image(line: &Line) -> Result<Image, String> {
    rules().image(line)
}

/// The images of a file, in the form of `NAME.expected`.
fn found(path: &Path) -> String {
    let name = path.display().to_string();
    match lines(path) {
        Err(error) => format!("error: {}\n", error.replace(&name, "FILE")),
        Ok(lines) => lines
            .iter()
            .map(|line| {
                let number = line.place.line;
                match image(line) {
                    Ok(_) => {
                        let entry = Entry::parse(line.text()).expect("an image is an entry");
                        format!("{number}: {entry}\n")
                    }
                    Err(error) => {
                        let message = error.strip_prefix(&format!("{name}:{number}: "));
                        format!("{number}: error: {}\n", message.expect("FILE:LINE first"))
                    }
                }
            })
            .collect(),
    }
}

fn name(path: &Path) -> String {
    let name = path.file_name().expect("a name");
    name.to_string_lossy().into_owned()
}

#[test]
fn each_file_is_read_as_expected() {
    for path in fixtures() {
        let expected = std::fs::read_to_string(path.with_file_name(name(&path) + ".expected"));
        let found = found(&path);
        assert_eq!(found, expected.unwrap_or_default(), "{}", name(&path));
    }
}

#[test]
fn the_failed_list_of_a_file_reads_as_the_same_images() {
    let directory = std::env::temp_dir().join(format!("image-tools-lists-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let copy = directory.join("failed.txt");
    let mut read = 0;
    for path in fixtures() {
        let Ok(lines) = lines(&path) else { continue };
        let mut failed = Vec::new();
        for line in &lines {
            failed.extend_from_slice(&line.bytes);
            failed.push(b'\n');
        }
        std::fs::write(&copy, &failed).expect("a file");
        let again = self::lines(&copy).unwrap_or_else(|error| panic!("{}: {error}", name(&path)));
        let of = |lines: &[Line]| -> Vec<Option<Image>> {
            lines.iter().map(|line| image(line).ok()).collect()
        };
        assert_eq!(of(&again), of(&lines), "{}", name(&path));
        read += again.len();
    }
    std::fs::remove_dir_all(&directory).expect("it is there");
    assert!(read > 100);
}

/// The images that an independent parser finds: `PyYAML` and a few lines of Python.
#[test]
fn another_parser_finds_the_same_images() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/list_images.py");
    let mut images = 0;
    for path in fixtures() {
        let is_document = path.extension().is_some_and(|extension| extension != "txt");
        let Some(lines) = lines(&path).ok().filter(|_| is_document) else {
            continue;
        };
        let own: Vec<String> = lines
            .iter()
            .filter(|line| image(line).is_ok())
            .map(|line| String::from_utf8_lossy(line.text()).into_owned())
            .collect();
        let output = Command::new("/usr/bin/python3")
            .arg(&script)
            .arg(&path)
            .output()
            .expect("Debian's python3");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", name(&path));
        let other = String::from_utf8_lossy(&output.stdout);
        assert_eq!(own, other.lines().collect::<Vec<_>>(), "{}", name(&path));
        images += own.len();
    }
    assert!(images > 40, "{images}");
}

#[test]
fn several_files_are_one_list() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lists");
    let paths = ["lines-pairs.txt", "image-syncer.yaml", "lines-mixed.txt"]
        .map(|name| directory.join(name));
    let (mut list, count) = List::open_all(&paths).expect("lists");
    let mut found = Vec::new();
    while let Some(line) = list.next_line().expect("lines") {
        let text = String::from_utf8_lossy(line.text()).into_owned();
        found.push((line.number, line.place.to_string(), text));
    }
    assert_eq!(count, Some(found.len() as u64));
    assert!(found.is_sorted_by(|one, other| one.0 < other.0));
    let alone: Vec<Line> = paths
        .iter()
        .flat_map(|path| lines(path).expect("a list"))
        .collect();
    let alone: Vec<(String, String)> = alone
        .iter()
        .map(|line| {
            (
                line.place.to_string(),
                String::from_utf8_lossy(line.text()).into_owned(),
            )
        })
        .collect();
    let found: Vec<(String, String)> = found.into_iter().map(|(_, at, text)| (at, text)).collect();
    assert_eq!(found, alone);
    let missing = List::open_all(&[paths[0].clone(), directory.join("nowhere")]);
    assert!(
        missing
            .err()
            .expect("an error")
            .to_string()
            .contains("nowhere")
    );
}
