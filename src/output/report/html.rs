//! `.html`: one page without scripts and external resources: totals, tables by registry and by reason,
//! both sides of every image that did not pass, and the names of the images that passed.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use super::object::{LineObject, ReportHeader, TOOL, headline, time, word};
use super::sides::sides;
use super::tally::Tally;
use super::{report, text::xml};
use crate::list::List;
use crate::output::file::Output;
use crate::output::spool::Spool;
use crate::output::summary::duration;
use crate::output::{LineResult, OpenedOutput, OutputError, OutputForm, RunEnd, RunSettings, Sink};
use crate::verdict::Outcome;

pub static HTML: OutputForm = report(open);

const STYLE: &str = include_str!("page.css");

/// Limit for all images together, in bytes.
const MAX_BYTES: u64 = 9_500_000;

/// Passed images that are named.
const MAX_PASSED: u64 = 20_000;

/// Failed images that are shown expanded.
const MAX_OPEN: u64 = 10;

/// The sections of the page are the high bits of the spool's keys.
const NOT_VALIDATED: u64 = 1 << 62;
const PASSED: u64 = 1 << 63;

/// Separates the parts of an image in the spool; escaped text never contains it.
const SPLIT: char = '\0';

struct Report {
    head: ReportHeader,
    images: Spool<u64>,
    tally: Tally,
    /// Bytes of the visible summary of an image that did not pass, and of its details.
    bytes: u64,
    bytes_of_details: u64,
    passed: u64,
    bytes_of_passed: u64,
}

fn open(name: &Path, input: &List, settings: &RunSettings) -> Result<OpenedOutput, OutputError> {
    let output = Output::create(&HTML, name, input, settings)?;
    Ok(Some(new(output, ReportHeader::new(input, settings))))
}

/// A report of a run, into this file.
pub fn new(output: Output, head: ReportHeader) -> Box<dyn Sink> {
    Box::new(Report {
        images: Spool::new(output),
        head,
        tally: Tally::default(),
        bytes: 0,
        bytes_of_details: 0,
        passed: 0,
        bytes_of_passed: 0,
    })
}

impl Sink for Report {
    fn take(&mut self, entry: &LineResult<'_>) {
        self.tally.add(entry, self.head.words);
        let section = match entry.finding.outcome {
            Outcome::Passed => return self.take_passed(entry),
            Outcome::Failed(_) => 0,
            Outcome::NotValidated(_) => NOT_VALIDATED,
        };
        let object = LineObject::new(entry, self.head.words);
        let name = match entry.image {
            Some(image) => format!("{}. {}", image.number, image.image.source_name()),
            None => entry.line.place.to_string(),
        };
        let brief = format!(
            "<summary>{} <i>{}</i></summary><p>{}</p>",
            xml(&name),
            object.code.map_or_else(String::new, |code| word(&code)),
            xml(object.message.as_deref().unwrap_or_default())
        );
        let details = sides(entry, &object);
        // Including the surrounding tags.
        self.bytes += brief.len() as u64 + 26;
        self.bytes_of_details += details.len() as u64;
        let text = format!("{brief}{SPLIT}{details}{SPLIT}");
        self.images
            .add(section | object.line, false, text.as_bytes());
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        self.images.write().map(|_| ())
    }

    fn restart(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError> {
        self.place(end)?;
        self.tally.forget_unsettled();
        (self.bytes, self.bytes_of_details) = (0, 0);
        self.images.forget_unsettled()
    }

    fn finish(mut self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        self.place(end)?;
        self.images.output().discard()?;
        Ok(Vec::new())
    }
}

impl Report {
    fn place(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError> {
        let before = self.before(end);
        let counts = end.totals.counts;
        let words = self.head.words;
        let mut room = MAX_BYTES.saturating_sub(self.bytes);
        let has_all = self.bytes_of_details <= room;
        let left = room.saturating_sub(self.bytes_of_details);
        let names_passed = self.passed <= MAX_PASSED && self.bytes_of_passed <= left;
        self.images.place_each(|entries, out| {
            out.write_all(before.as_bytes())?;
            let (mut section, mut written, mut short, mut cut) = (None, 0, 0_u64, 0_u64);
            let mut bytes = Vec::new();
            while let Some(key) = entries.next(&mut bytes)? {
                let own = key & (NOT_VALIDATED | PASSED);
                if own == PASSED && !names_passed {
                    break;
                }
                if section != Some(own) {
                    section = Some(own);
                    let title = match own {
                        0 => format!("<h2>Failed: {}</h2>\n", counts.failed),
                        NOT_VALIDATED => {
                            let mut name = words.not_passed.to_owned();
                            name[..1].make_ascii_uppercase();
                            format!("<h2>{name}: {}</h2>\n", counts.not_validated)
                        }
                        _ => format!("<h2>Without differences</h2>\n<details><summary>{} {}</summary><ol>\n", counts.passed, words.passed),
                    };
                    out.write_all(title.as_bytes())?;
                }
                let text = String::from_utf8_lossy(&bytes);
                let mut parts = text.split(SPLIT);
                let (brief, details) = (parts.next().unwrap_or_default(), parts.next());
                let Some(details) = details else {
                    out.write_all(brief.as_bytes())?;
                    continue;
                };
                written += brief.len() as u64 + 26;
                if written > MAX_BYTES {
                    cut += 1;
                    continue;
                }
                let is_open = own == 0 && counts.failed <= MAX_OPEN;
                let is_long = has_all || details.len() as u64 <= room;
                out.write_all(if is_open { b"<details open>" } else { b"<details>" })?;
                out.write_all(brief.as_bytes())?;
                if is_long {
                    room = room.saturating_sub(details.len() as u64);
                    out.write_all(details.as_bytes())?;
                } else {
                    short += 1;
                }
                out.write_all(b"</details>\n")?;
            }
            if section == Some(PASSED) {
                out.write_all(b"</ol></details>\n")?;
            } else if counts.passed > 0 {
                writeln!(out, "<h2>Without differences</h2>\n<p>{} {}; a report in another form names them.</p>", counts.passed, words.passed)?;
            }
            if short + cut > 0 {
                writeln!(out, "<p>The page is limited to 10 MB: both sides of {short} images, and {cut} other images, are left out. A report in another form has them.</p>")?;
            }
            write!(out, "</main>\n<footer><p>{TOOL}</p></footer>\n</body>\n</html>\n")
        })
    }

    /// Above [`MAX_PASSED`] no name of a passed image is shown.
    fn take_passed(&mut self, entry: &LineResult<'_>) {
        self.passed += 1;
        let Some(image) = entry.image.filter(|_| self.passed <= MAX_PASSED) else {
            return;
        };
        let mut text = format!(
            "<li value=\"{}\">{}",
            image.number,
            xml(&image.image.source_name())
        );
        if self.head.words.compares {
            text += &format!(" → {}", xml(&image.image.destination_name()));
        }
        if !entry.finding.accepted.is_empty() {
            let classes: Vec<_> = entry.finding.accepted.iter().map(|c| c.as_str()).collect();
            text += &format!(" (accepted: {})", classes.join(", "));
        }
        if !entry.finding.absent.is_empty() {
            text += &format!(
                " (the source lacks: {})",
                xml(&entry.finding.absent.join(", "))
            );
        }
        text += "</li>";
        self.bytes_of_passed += text.len() as u64 + 1;
        self.images
            .add(PASSED | entry.line.number, true, text.as_bytes());
    }

    fn before(&self, end: &RunEnd<'_>) -> String {
        let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        let headline = headline(end, self.head.words);
        let mut text = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{headline} - {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{headline}</h1>\n\
             <p class=\"soft\">Image list {}</p>\n",
            xml(&self.head.list),
            xml(&self.head.list)
        );
        self.totals(&mut text, end);
        let facts = [
            ("Started", time(self.head.begun)),
            ("Duration", duration(end.elapsed)),
            ("Exit code", end.totals.exit().code().to_string()),
            ("Requests", end.totals.requests.to_string()),
            (
                "List digest",
                end.list_digest.map_or("unknown", |d| d.as_str()).to_owned(),
            ),
            (
                "Settings",
                self.head
                    .run
                    .trim_matches(['{', '}'])
                    .replace(",\"", ", \"")
                    .replace('"', ""),
            ),
        ];
        text += "<dl>\n";
        for (name, value) in facts {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "<dt>{name}</dt><dd>{}</dd>", xml(&value));
        }
        text += "</dl>\n";
        self.tables(&mut text);
        text
    }

    fn totals(&self, text: &mut String, end: &RunEnd<'_>) {
        let (counts, words) = (end.totals.counts, self.head.words);
        let parts = [
            ("ok", words.passed, counts.passed),
            ("bad", "failed", counts.failed),
            ("open", words.not_passed, counts.not_validated),
        ];
        let label = parts
            .map(|(_, name, count)| format!("{count} {name}"))
            .join(", ");
        let _ = write!(
            text,
            "<svg role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\"><title>{label}</title>"
        );
        let all = end.totals.images().max(1);
        let mut at = 0;
        for (class, _, count) in parts.iter().filter(|(_, _, count)| *count > 0) {
            // One failure in a million stays visible.
            let width = (count * 1000 / all).max(4);
            let _ = write!(
                text,
                "<rect class=\"{class}\" x=\"{at}\" y=\"0\" width=\"{width}\" height=\"10\"/>"
            );
            at += width;
        }
        text.push_str("</svg>\n<ul class=\"totals\">\n");
        for (class, name, count) in parts {
            let _ = writeln!(text, "<li><b class=\"{class}\">{count}</b>{name}</li>");
        }
        text.push_str("</ul>\n");
    }

    fn tables(&self, text: &mut String) {
        let words = self.head.words;
        let _ = write!(
            text,
            "<h2>By registry</h2>\n<table><thead><tr><th scope=\"col\">Registry</th><th scope=\"col\" class=\"n\">{}</th><th scope=\"col\" class=\"n\">failed</th><th scope=\"col\" class=\"n\">{}</th></tr></thead>\n<tbody>\n",
            words.passed, words.not_passed
        );
        for (registry, row) in &self.tally.registries {
            let _ = writeln!(
                text,
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                xml(registry),
                row.counts.passed,
                row.counts.failed,
                row.counts.not_validated
            );
        }
        if self.tally.registries.is_empty() {
            text.push_str("<tr><td colspan=\"4\">No image</td></tr>\n");
        }
        text.push_str("</tbody></table>\n");
        let reasons = self.tally.reasons();
        if reasons.is_empty() {
            return;
        }
        text.push_str("<h2>By reason</h2>\n<table><thead><tr><th scope=\"col\">Reason</th><th scope=\"col\" class=\"n\">Images</th></tr></thead>\n<tbody>\n");
        for (reason, count) in reasons {
            let _ = writeln!(
                text,
                "<tr><th scope=\"row\">{reason}</th><td class=\"n\">{count}</td></tr>"
            );
        }
        text.push_str("</tbody></table>\n");
    }
}
