//! Flags of output files, log and progress bar.

use std::path::PathBuf;

use super::{ExpectedValue, Flag, FlagValue, Group, PLAIN};
use crate::output::{self, FAILED_LIST, METRICS, NOT_VALIDATED_LIST, OutputForm, OutputRequest};

/// When to colour the log, or to show the progress bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DisplayMode {
    /// On a terminal.
    #[default]
    Auto,
    Always,
    Never,
}

impl DisplayMode {
    const WORDS: &[&str] = &["auto", "always", "never"];

    /// `word`: one of [`Self::WORDS`].
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
    requests: Vec<OutputRequest>,
    pub debug: bool,
    pub quiet: bool,
    pub progress: DisplayMode,
    pub color: DisplayMode,
}

impl OutputFlags {
    /// The requested outputs, the failed list first.
    pub fn requests(&self) -> &[OutputRequest] {
        &self.requests
    }

    /// Whether `--not-validated` was given.
    pub fn splits_failed(&self) -> bool {
        let mut requests = self.requests.iter();
        requests.any(|request| request.kind.flag == NOT_VALIDATED_LIST.flag)
    }

    /// Requests an output, and replaces an earlier request for the same form.
    pub fn request(&mut self, kind: &'static OutputForm, path: PathBuf) {
        let same = |request: &&mut OutputRequest| request.kind.flag == kind.flag;
        match self.requests.iter_mut().find(same) {
            Some(request) => request.path = path,
            None if kind.flag == FAILED_LIST.flag => {
                self.requests.insert(0, OutputRequest { kind, path });
            }
            None => self.requests.push(OutputRequest { kind, path }),
        }
    }
}

impl OutputFlags {
    /// Requests a further report.
    ///
    /// # Errors
    /// The expected suffixes, where the name has none of them.
    fn report(&mut self, path: PathBuf) -> Result<(), ExpectedValue> {
        let kind = output::report_kind(&path).ok_or(
            "a file name with the suffix .json, .jsonl, .xml (JUnit), .csv, .md or .html, or '-'",
        )?;
        if !self
            .requests
            .iter()
            .any(|request| request.path == path && request.kind.flag == kind.flag)
        {
            self.requests.push(OutputRequest { kind, path });
        }
        Ok(())
    }
}

pub const GROUP: Group = Group {
    title: "Output",
    flags: &[
        Flag {
            names: &["-o", "--output", "--failed"],
            takes: FlagValue::Path("string", |flags, path| {
                flags.output.request(&FAILED_LIST, path);
            }),
            help: "file name of the validate failed image list",
            default: "mirror-validate-failed.txt",
            is_original: true,
            ..PLAIN
        },
        Flag {
            names: &["--not-validated"],
            takes: FlagValue::Path("file", |flags, path| {
                flags.output.request(&NOT_VALIDATED_LIST, path);
            }),
            help: "write the lines that could not be checked to this file instead of the failed list",
            ..PLAIN
        },
        Flag {
            names: &["--report"],
            takes: FlagValue::SuffixedPath("file", |flags, path| flags.output.report(path)),
            help: "write the result of every line to this file; the suffix decides the format: .json, .jsonl, .xml (JUnit), .csv, .md, .html; '-' writes .jsonl to standard output and the log to standard error; may be repeated",
            accumulates: true,
            ..PLAIN
        },
        Flag {
            names: &["--metrics"],
            takes: FlagValue::Path("file", |flags, path| flags.output.request(&METRICS, path)),
            help: "write the totals to this file in Prometheus text format (for the textfile collector of node_exporter)",
            ..PLAIN
        },
        Flag {
            names: &["-debug"],
            takes: FlagValue::Switch(|flags, on| flags.output.debug = on),
            help: "enable the debug output: every request with its method, URL, status and time",
            is_original: true,
            ..PLAIN
        },
        Flag {
            names: &["-q", "--quiet"],
            takes: FlagValue::Switch(|flags, on| flags.output.quiet = on),
            help: "print only warnings, errors and the summary",
            ..PLAIN
        },
        Flag {
            names: &["--progress"],
            takes: FlagValue::Choice(DisplayMode::WORDS, |flags, word| {
                flags.output.progress = DisplayMode::of(word);
            }),
            help: "show progress on standard error: auto (a bar, if standard error is a terminal and standard output is not a pipe), always (a line every 10 seconds without a terminal), never",
            default: "auto",
            ..PLAIN
        },
        Flag {
            names: &["--color"],
            takes: FlagValue::Choice(DisplayMode::WORDS, |flags, word| {
                flags.output.color = DisplayMode::of(word);
            }),
            help: "colour the log: auto (on a terminal, unless $NO_COLOR is set), always, never",
            default: "auto",
            ..PLAIN
        },
    ],
};
