//! `make demo`: the real binary on a list, against two registries that are made from
//! `fixtures/demo/` and served on loopback by this program. Leaves nothing running, and the HTML report beside the build.

#[allow(dead_code, reason = "the harness has more than the demo needs")]
#[path = "../support/content.rs"]
mod content;
#[allow(dead_code, reason = "the harness has more than the demo needs")]
#[path = "../support/server.rs"]
mod server;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use content::Content;
use server::{Reply, Server, answer};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo");
    let source = Server::of(load(&fixtures.join("source"))?);
    let content = load(&fixtures.join("destination"))?;
    let destination = Server::start(move |request| {
        if request.path.starts_with("/v2/library/mysql/") {
            return Reply::error(503, "UNAVAILABLE", "the storage is not mounted");
        }
        answer(&content, request)
    });
    // Beside the build: the page stays there to be looked at.
    let program = std::env::var_os("IMAGE_TOOLS")
        .ok_or("set IMAGE_TOOLS to the program; `make demo` does")?;
    let program = fs::canonicalize(program)?;
    let directory = program.with_file_name("demo");
    fs::create_dir_all(&directory)?;
    fs::copy(fixtures.join("list.txt"), directory.join("list.txt"))?;

    let args = format!(
        "mirror-validate -f list.txt -s {} -d {} --retries 1 --report report.html",
        source.name(),
        destination.name()
    );
    println!(
        "$ cat list.txt\n{}",
        fs::read_to_string(directory.join("list.txt"))?
    );
    println!("$ image-tools {args} | grep -E 'INFO|FAILED|NOT VALIDATED'");
    let run = Command::new(program)
        .args(args.split(' '))
        .current_dir(&directory)
        .stderr(Stdio::inherit())
        .output()?;
    for line in String::from_utf8(run.stdout)?.lines() {
        if ["INFO", "FAILED", "NOT VALIDATED"]
            .iter()
            .any(|word| line.contains(word))
        {
            println!("{line}");
        }
    }
    println!("\n$ cat mirror-validate-failed.txt");
    print!(
        "{}",
        fs::read_to_string(directory.join("mirror-validate-failed.txt"))?
    );
    println!(
        "\nBoth sides of every image, and what to do: {}",
        directory.join("report.html").display()
    );
    // One image passes and some fail: 1 is the right exit code.
    Ok(if run.status.code() == Some(1) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Reads the registry that is laid out in a directory, as `fixtures/README.md` says.
fn load(directory: &Path) -> Result<Content, Box<dyn Error>> {
    let mut content = Content::default();
    for project in fs::read_dir(directory)? {
        let project = project?;
        for repository in fs::read_dir(project.path())? {
            let repository = repository?;
            let name = format!(
                "{}/{}",
                project.file_name().display(),
                repository.file_name().display()
            );
            for file in fs::read_dir(repository.path())? {
                let file = file?;
                let bytes = fs::read(file.path())?;
                let file = file.file_name().to_string_lossy().into_owned();
                let stem = file.trim_end_matches(".json");
                if stem.starts_with("blob-") {
                    content.blob(&name, bytes);
                    continue;
                }
                let manifest: serde_json::Value = serde_json::from_slice(&bytes)?;
                let media_type = manifest["mediaType"]
                    .as_str()
                    .ok_or("a manifest without mediaType")?
                    .to_owned();
                let digest = content::digest(&bytes);
                content.put(
                    &name,
                    stem.strip_prefix("tag-").unwrap_or(&digest),
                    &media_type,
                    bytes,
                );
            }
        }
    }
    Ok(content)
}
