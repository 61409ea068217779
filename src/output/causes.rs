//! The causes that the log lists before the summary: a count and the first images per reason code,
//! and the unreachable registries.
//!
//! Memory is bounded: by the number of codes, [`MOST_NAMED`] images each, and [`MOST_HOSTS`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Local};

use super::LineResult;
use crate::verdict::{Class, Code};

/// Images named per reason code.
const MOST_NAMED: usize = 10;

/// Registries named.
const MOST_HOSTS: usize = 20;

#[derive(Debug)]
pub struct Causes {
    begun: DateTime<Local>,
    codes: BTreeMap<Code, Cause>,
    hosts: BTreeMap<String, UnreachableHost>,
    /// Images of the registries beyond [`MOST_HOSTS`].
    beyond: u64,
}

#[derive(Debug, Default)]
struct Cause {
    count: u64,
    /// Images per class of difference.
    classes: BTreeMap<Class, u64>,
    /// The first lines, by line number; the value is printed.
    first: BTreeMap<u64, String>,
}

#[derive(Debug)]
struct UnreachableHost {
    count: u64,
    /// The first error.
    cause: String,
}

impl Causes {
    /// Starts the clock of the run.
    pub fn new() -> Self {
        Self {
            begun: Local::now(),
            codes: BTreeMap::new(),
            hosts: BTreeMap::new(),
            beyond: 0,
        }
    }

    /// Removes all causes, and keeps the start of the run.
    pub fn restart(&mut self) {
        *self = Self {
            begun: self.begun,
            ..Self::new()
        };
    }

    pub fn add(&mut self, entry: &LineResult<'_>) {
        let Some(reason) = entry.finding.outcome.reason() else {
            return;
        };
        let name = match entry.image {
            Some(image) => image.number.to_string(),
            None => entry.line.place.to_string(),
        };
        let cause = self.codes.entry(reason.code).or_default();
        cause.count += 1;
        cause.first.insert(entry.line.number, name);
        if cause.first.len() > MOST_NAMED {
            cause.first.pop_last();
        }
        let mut classes: Vec<Class> = entry.finding.why.iter().map(|why| why.class).collect();
        classes.sort_unstable();
        classes.dedup();
        for class in classes {
            *cause.classes.entry(class).or_default() += 1;
        }
        if let Some(host_failure) = &reason.host_failure
            && reason.code == Code::Unreachable
        {
            if let Some(host) = self.hosts.get_mut(&host_failure.host) {
                host.count += 1;
            } else if self.hosts.len() < MOST_HOSTS {
                let host = UnreachableHost {
                    count: 1,
                    cause: host_failure.cause.clone(),
                };
                self.hosts.insert(host_failure.host.clone(), host);
            } else {
                self.beyond += 1;
            }
        }
    }

    /// The lines, not yet escaped; empty if every image passed.
    pub fn lines(&self, ended: DateTime<Local>) -> Vec<String> {
        if self.codes.is_empty() {
            return Vec::new();
        }
        let mut codes: Vec<(&Code, &Cause)> = self.codes.iter().collect();
        codes.sort_by_key(|(code, cause)| (!code.is_failure(), std::cmp::Reverse(cause.count)));
        let mut lines: Vec<String> = codes
            .into_iter()
            .map(|(code, cause)| cause.line(*code))
            .collect();
        lines.extend(self.hosts.iter().map(|(host, unreached)| {
            let images = images(unreached.count);
            format!("unreachable for {images}: {host}: {}", unreached.cause)
        }));
        if self.beyond > 0 {
            let images = images(self.beyond);
            lines.push(format!("unreachable for {images}: other registries"));
        }
        let time = |time: DateTime<Local>| time.format("%Y-%m-%d %H:%M:%S %:z");
        lines.push(format!(
            "image-tools {}: started {}, ended {}",
            env!("CARGO_PKG_VERSION"),
            time(self.begun),
            time(ended)
        ));
        lines
    }
}

impl Cause {
    /// `12 index-differs (re-compressed 9, older 3): 4, 7, 19 …`.
    fn line(&self, code: Code) -> String {
        let mut line = format!("{} {}", self.count, code.as_str());
        let mut classes: Vec<(&Class, &u64)> = self.classes.iter().collect();
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let classes: Vec<String> = classes
            .iter()
            .map(|(class, count)| format!("{} {count}", class.as_str()))
            .collect();
        if !classes.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(line, " ({})", classes.join(", "));
        }
        let first: Vec<&str> = self.first.values().map(String::as_str).collect();
        let _ = write!(line, ": {}", first.join(", "));
        if self.count > first.len() as u64 {
            line += " …";
        }
        line
    }
}

fn images(count: u64) -> String {
    format!("{count} image{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::list::{Image, Line, NumberedImage, names};
    use crate::verdict::{Finding, HostFailure, Outcome, PlatformDifference, Reason};

    fn add(causes: &mut Causes, number: u64, finding: impl Into<Finding>) {
        let image = Image {
            source: names::source("a.io/x", None).expect("a name"),
            destination: names::destination("b.io/x", None, "library").expect("a name"),
            source_reference: "1".parse().expect("a tag"),
            destination_reference: "1".parse().expect("a tag"),
            platforms: None,
        };
        let image = Arc::new(image);
        let finding = finding.into();
        let is_image = finding
            .outcome
            .reason()
            .is_none_or(|reason| reason.code != Code::InvalidLine);
        causes.add(&LineResult {
            line: &Line::of_file("list.txt", number + 100, b"x"),
            image: is_image.then_some(&NumberedImage { number, image }),
            finding: &finding,
        });
    }

    fn lines(causes: &Causes) -> Vec<String> {
        let mut lines = causes.lines(Local::now());
        let last = lines.pop().expect("the times");
        let version = concat!("image-tools ", env!("CARGO_PKG_VERSION"), ": started 2");
        assert!(last.starts_with(version), "{last}");
        assert!(last.contains(", ended 2") && last.contains(":00"), "{last}");
        lines
    }

    fn differs(class: Class) -> Finding {
        let why = PlatformDifference {
            platform: None,
            class,
            evidence: String::new(),
            source: None,
            destination: None,
            source_created: None,
            destination_created: None,
        };
        Finding {
            why: vec![why.clone(), why],
            ..Finding::from(Reason::new(Code::IndexDiffers, "x"))
        }
    }

    fn unreachable(host: &str, cause: &str) -> Reason {
        Reason {
            host_failure: Some(Box::new(HostFailure {
                host: host.to_owned(),
                cause: cause.to_owned(),
                hint: None,
            })),
            ..Reason::new(Code::Unreachable, "x")
        }
    }

    #[test]
    fn a_run_in_which_all_passes_has_no_causes() {
        let mut causes = Causes::new();
        add(&mut causes, 1, Outcome::Passed);
        assert!(causes.lines(Local::now()).is_empty());
    }

    #[test]
    fn reasons_are_counted_and_the_first_images_named() {
        let mut causes = Causes::new();
        for number in (1..=12).rev() {
            let class = if number <= 3 {
                Class::Older
            } else {
                Class::ReCompressed
            };
            add(&mut causes, number, differs(class));
        }
        add(&mut causes, 13, Reason::new(Code::DestinationMissing, "x"));
        for number in [20, 14, 15] {
            add(&mut causes, number, Reason::new(Code::InvalidLine, "x"));
        }
        for number in 0..20 {
            add(
                &mut causes,
                number + 30,
                unreachable("b.io:5000", "refused"),
            );
        }
        add(&mut causes, 99, unreachable("a.io", "no address"));
        add(&mut causes, 100, unreachable("a.io", "something else"));
        assert_eq!(
            lines(&causes),
            [
                "12 index-differs (re-compressed 9, older 3): 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 …",
                "1 destination-missing: 13",
                "22 unreachable: 30, 31, 32, 33, 34, 35, 36, 37, 38, 39 …",
                "3 invalid-line: list.txt:114, list.txt:115, list.txt:120",
                "unreachable for 2 images: a.io: no address",
                "unreachable for 20 images: b.io:5000: refused",
            ]
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut causes = Causes::new();
        for number in 0..10_000 {
            add(
                &mut causes,
                number,
                unreachable(&format!("h{number}.io"), "x"),
            );
        }
        assert_eq!(causes.hosts.len(), MOST_HOSTS);
        assert_eq!(causes.codes[&Code::Unreachable].first.len(), MOST_NAMED);
        let lines = lines(&causes);
        assert_eq!(lines.len(), MOST_HOSTS + 2);
        assert_eq!(
            lines[MOST_HOSTS + 1],
            "unreachable for 9980 images: other registries"
        );
    }
}
