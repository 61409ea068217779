//! The table of flags: parser, help, hints and completions are all made from it.

/// A flag of `mirror-validate`, as a name for code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// `-a`
    Arch,
    /// `-d`
    Destination,
    /// `-debug`
    Debug,
    /// `-f`
    File,
    /// `-j`
    Jobs,
    /// `-o`
    Output,
    /// `-s`
    Source,
    /// `-default-project`
    DefaultProject,
    /// `--os`
    Os,
    /// `--tls-verify`
    TlsVerify,
    /// `--ca-file`
    CaFile,
    /// `--timeout`
    Timeout,
    /// `--retries`
    Retries,
    /// `--allow-single`
    AllowSingle,
    /// `--deep`
    Deep,
    /// `--referrers`
    Referrers,
    /// `--record`
    Record,
    /// `--recorded`
    Recorded,
    /// `--report`
    Report,
    /// `--metrics`
    Metrics,
    /// `--shard`
    Shard,
    /// `-q`
    Quiet,
    /// `--progress`
    Progress,
    /// `--color`
    Color,
    /// `-h`
    Help,
    /// `-v`
    Version,
}

/// What stands behind a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing, or `=true` and `=false`.
    Switch,
    /// As a switch, or `=` and one of these words.
    Grade(&'static [&'static str]),
    /// A value; the word that help shows for it.
    Value(&'static str),
    /// A file name; the word that help shows for it.
    Path(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One row of the table.
#[derive(Debug)]
pub struct Flag {
    /// Its name for code.
    pub id: Id,
    /// Its names without dashes, the one that help shows first; each is taken with one dash and with two.
    pub names: &'static [&'static str],
    /// What stands behind it.
    pub takes: Takes,
    /// What it is for.
    pub help: &'static str,
    /// Its default as help shows it; empty where the text says it or there is none.
    pub default: &'static str,
}

impl Flag {
    /// The flag as help shows it: the original's flags with one dash, the others as is usual now.
    pub fn shown(&self) -> String {
        dashed(self.names[0])
    }

    /// Its other names, with dashes.
    pub fn also(&self) -> Vec<String> {
        self.names[1..].iter().map(|name| dashed(name)).collect()
    }
}

fn dashed(name: &str) -> String {
    match name {
        "debug" | "default-project" => format!("-{name}"),
        _ if name.len() == 1 => format!("-{name}"),
        _ => format!("--{name}"),
    }
}

/// When something is shown.
pub const WHEN: &[&str] = &["auto", "always", "never"];

/// All flags, in the order of the help: the seven of the original first.
pub const FLAGS: &[Flag] = &[
    Flag {
        id: Id::Arch,
        names: &["a", "arch"],
        takes: Takes::Value("string"),
        help: "architecture list of images, separate with ','",
        default: "\"amd64,arm64\"",
    },
    Flag {
        id: Id::Destination,
        names: &["d", "destination"],
        takes: Takes::Value("string"),
        help: "override the destination registry; without it $DEST_REGISTRY, then the list",
        default: "",
    },
    Flag {
        id: Id::Debug,
        names: &["debug"],
        takes: Takes::Switch,
        help: "enable the debug output: every request with its method, URL, status and time",
        default: "",
    },
    Flag {
        id: Id::File,
        names: &["f", "file"],
        takes: Takes::Path("string"),
        help: "image list file; '-' reads standard input as a file; without it images are typed in line by line",
        default: "",
    },
    Flag {
        id: Id::Jobs,
        names: &["j", "jobs"],
        takes: Takes::Value("int"),
        help: "job number, async mode if larger than 1, maximum is 20",
        default: "1",
    },
    Flag {
        id: Id::Output,
        names: &["o", "output", "failed"],
        takes: Takes::Path("string"),
        help: "file name of the validate failed image list",
        default: "\"mirror-validate-failed.txt\"",
    },
    Flag {
        id: Id::Source,
        names: &["s", "source"],
        takes: Takes::Value("string"),
        help: "override the source registry; without it $SOURCE_REGISTRY, then the list",
        default: "",
    },
    Flag {
        id: Id::DefaultProject,
        names: &["default-project"],
        takes: Takes::Value("string"),
        help: "project put into a destination that has none",
        default: "\"library\"",
    },
    Flag {
        id: Id::Os,
        names: &["os"],
        takes: Takes::Value("string"),
        help: "operating system list of images, separate with ','; without it all",
        default: "",
    },
    Flag {
        id: Id::AllowSingle,
        names: &["allow-single"],
        takes: Takes::Switch,
        help: "accept a destination that is a single image, not a manifest list (as 'skopeo copy' leaves it)",
        default: "",
    },
    Flag {
        id: Id::TlsVerify,
        names: &["tls-verify"],
        takes: Takes::Switch,
        help: "verify certificates; '--tls-verify=false' does not, and tries plain HTTP after HTTPS",
        default: "true",
    },
    Flag {
        id: Id::CaFile,
        names: &["ca-file"],
        takes: Takes::Path("file"),
        help: "trust also the certificates in this PEM file",
        default: "",
    },
    Flag {
        id: Id::Timeout,
        names: &["timeout"],
        takes: Takes::Value("duration"),
        help: "give up a request after this time without progress, for example 90s or 2m",
        default: "30s",
    },
    Flag {
        id: Id::Retries,
        names: &["retries"],
        takes: Takes::Value("int"),
        help: "repeat a request this often when its failure may pass by itself",
        default: "4",
    },
    Flag {
        id: Id::Deep,
        names: &["deep"],
        takes: Takes::Grade(&["full"]),
        help: "ask the destination also for the blobs (configs, layers) of the images, and compare their sizes; '--deep=full' reads them and compares their digests",
        default: "",
    },
    Flag {
        id: Id::Referrers,
        names: &["referrers"],
        takes: Takes::Switch,
        help: "what is attached to the source (signatures, SBOMs, attestations) has to be at the destination",
        default: "",
    },
    Flag {
        id: Id::Record,
        names: &["record"],
        takes: Takes::Path("file"),
        help: "read only the sources and write to this file what they are, for '--recorded'; a file that is there is extended",
        default: "",
    },
    Flag {
        id: Id::Recorded,
        names: &["recorded"],
        takes: Takes::Path("file"),
        help: "take from this file what the sources are, and ask the destination only",
        default: "",
    },
    Flag {
        id: Id::Report,
        names: &["report"],
        takes: Takes::Path("file"),
        help: "write what became of each line to this file, as JSON",
        default: "",
    },
    Flag {
        id: Id::Metrics,
        names: &["metrics"],
        takes: Takes::Path("file"),
        help: "write the totals to this file, as text for Prometheus (node_exporter's textfile collector)",
        default: "",
    },
    Flag {
        id: Id::Shard,
        names: &["shard"],
        takes: Takes::Value("I/N"),
        help: "validate only part I of N of the list, I from 0 to N-1, so that several hosts share it",
        default: "",
    },
    Flag {
        id: Id::Quiet,
        names: &["q", "quiet"],
        takes: Takes::Switch,
        help: "print warnings, errors and the summary only",
        default: "",
    },
    Flag {
        id: Id::Progress,
        names: &["progress"],
        takes: Takes::Choice(WHEN),
        help: "show a progress bar on standard error: auto (on a terminal), always, never",
        default: "auto",
    },
    Flag {
        id: Id::Color,
        names: &["color"],
        takes: Takes::Choice(WHEN),
        help: "colour the log: auto (on a terminal, unless $NO_COLOR is set), always, never",
        default: "auto",
    },
    Flag {
        id: Id::Help,
        names: &["h", "help"],
        takes: Takes::Switch,
        help: "print this help",
        default: "",
    },
    Flag {
        id: Id::Version,
        names: &["v", "version"],
        takes: Takes::Switch,
        help: "print the version",
        default: "",
    },
];

/// The flag of this name, given without dashes.
pub fn find(name: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.names.contains(&name))
}

/// The word of `words` that is nearest to a mistyped one, if one is near.
pub fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near =
        |word: &&str| strsim::damerau_levenshtein(typed, word) <= (word.len() / 3).clamp(1, 3);
    words
        .filter(|word| word.len() > 1)
        .filter(near)
        .min_by_key(|word| strsim::damerau_levenshtein(typed, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice() {
        let mut names: Vec<_> = FLAGS.iter().flat_map(|flag| flag.names).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_flag_has_a_long_name() {
        for flag in FLAGS {
            assert!(
                flag.names.iter().any(|name| name.len() > 1),
                "{:?}",
                flag.names
            );
        }
    }

    #[test]
    fn a_typo_finds_its_neighbour() {
        let names = || FLAGS.iter().flat_map(|flag| flag.names.iter().copied());
        assert_eq!(nearest("debgu", names()), Some("debug"));
        assert_eq!(nearest("outptu", names()), Some("output"));
        assert_eq!(nearest("tls-verfy", names()), Some("tls-verify"));
        assert_eq!(nearest("xyzzy", names()), None);
    }
}
