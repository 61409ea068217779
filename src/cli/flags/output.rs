//! Output: the files that a run writes, the log and the progress bar.

use std::path::PathBuf;

use super::{Flag, Group, PLAIN, Takes};

/// When the log is coloured, or the progress bar is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// On a terminal.
    #[default]
    Auto,
    Always,
    Never,
}

impl When {
    const WORDS: &[&str] = &["auto", "always", "never"];

    /// Of a word of [`When::WORDS`].
    fn of(word: &str) -> Self {
        match word {
            "always" => Self::Always,
            "never" => Self::Never,
            _ => Self::Auto,
        }
    }
}

#[derive(Debug, Default)]
pub struct OutputFlags {
    pub failed: PathBuf,
    pub report: Option<PathBuf>,
    pub metrics: Option<PathBuf>,
    pub debug: bool,
    pub quiet: bool,
    pub progress: When,
    pub color: When,
}

pub const GROUP: Group = Group {
    title: "Output",
    flags: &[
        Flag {
            names: &["-o", "--output", "--failed"],
            takes: Takes::Path("string", |flags, path| flags.output.failed = path),
            help: "file name of the validate failed image list",
            default: "mirror-validate-failed.txt",
            is_original: true,
            ..PLAIN
        },
        Flag {
            names: &["--report"],
            takes: Takes::Path("file", |flags, path| flags.output.report = Some(path)),
            help: "write what became of each line to this file, as JSON",
            ..PLAIN
        },
        Flag {
            names: &["--metrics"],
            takes: Takes::Path("file", |flags, path| flags.output.metrics = Some(path)),
            help: "write the totals to this file, as text for Prometheus (node_exporter's textfile collector)",
            ..PLAIN
        },
        Flag {
            names: &["-debug"],
            takes: Takes::Switch(|flags, on| flags.output.debug = on),
            help: "enable the debug output: every request with its method, URL, status and time",
            is_original: true,
            ..PLAIN
        },
        Flag {
            names: &["-q", "--quiet"],
            takes: Takes::Switch(|flags, on| flags.output.quiet = on),
            help: "print warnings, errors and the summary only",
            ..PLAIN
        },
        Flag {
            names: &["--progress"],
            takes: Takes::Choice(When::WORDS, |flags, word| {
                flags.output.progress = When::of(word);
            }),
            help: "show a progress bar on standard error: auto (on a terminal), always, never",
            default: "auto",
            ..PLAIN
        },
        Flag {
            names: &["--color"],
            takes: Takes::Choice(When::WORDS, |flags, word| {
                flags.output.color = When::of(word);
            }),
            help: "colour the log: auto (on a terminal, unless $NO_COLOR is set), always, never",
            default: "auto",
            ..PLAIN
        },
    ],
};
