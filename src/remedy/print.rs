//! Prints a shell script, or a configuration file of the tool.

use std::collections::HashMap;
use std::io::{self, Write};

use super::LineCounts;
use super::failure::Failure;
use super::steps::steps;
use super::text::{comment, shell_word, yaml_scalar};
use super::tool::{Plan, Step, Tool};

pub struct Printer<'a, W> {
    out: W,
    plan: &'a Plan,
    /// regsync: whether the list has entries.
    has_entries: bool,
    /// image-syncer, whose file is a map: the destinations per source.
    sources: Vec<(String, Vec<String>)>,
    indices: HashMap<String, usize>,
}

impl<'a, W: Write> Printer<'a, W> {
    pub fn new(out: W, plan: &'a Plan) -> Self {
        Self {
            out,
            plan,
            has_entries: false,
            sources: Vec::new(),
            indices: HashMap::new(),
        }
    }

    fn comment(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", comment(text))
    }

    pub fn begin(&mut self, list: &str, counts: &LineCounts) -> io::Result<()> {
        let s = if counts.failed == 1 { "" } else { "s" };
        self.comment(&format!(
            "image-tools remedy --for {}: {} failed image{s} of {list} ({})",
            self.plan.tool.name(),
            counts.failed,
            lines(counts.lines)
        ))?;
        let usage = match self.plan.tool {
            Tool::Regsync => "This file was only printed. To use it: regsync once -c FILE".to_owned(),
            Tool::ImageSyncer => {
                "This file was only printed. To use it: image-syncer --force --images FILE --auth AUTH-FILE"
                    .to_owned()
            }
            Tool::Hangar => self.hangar(),
            _ => "These commands were only printed. Read them, then run this file with sh.".to_owned(),
        };
        self.comment(&usage)?;
        let insecure: Vec<String> = self.plan.insecure_registries.iter().cloned().collect();
        if !insecure.is_empty() {
            self.insecure(&insecure)?;
        }
        if self.plan.tool == Tool::Regsync {
            writeln!(self.out, "version: 1")?;
            if !insecure.is_empty() {
                writeln!(self.out, "creds:")?;
                for registry in &insecure {
                    let registry = yaml_scalar(registry);
                    writeln!(self.out, "  - registry: {registry}\n    tls: insecure")?;
                }
            }
        }
        Ok(())
    }

    /// Prints the notes on insecure registries.
    fn insecure(&mut self, registries: &[String]) -> io::Result<()> {
        match self.plan.tool {
            Tool::Regctl | Tool::Regsync => self.comment(
                "tls=insecure disables certificate verification; for plain HTTP use tls=disabled",
            ),
            Tool::Oras => self.comment(
                "--from-insecure and --to-insecure disable certificate verification; for plain HTTP use --from-plain-http and --to-plain-http",
            ),
            Tool::ImageSyncer => {
                self.comment("add to AUTH-FILE, for the insecure registries:")?;
                for registry in registries {
                    self.comment(&format!("  {}: {{insecure: true}}", yaml_scalar(registry)))?;
                }
                Ok(())
            }
            Tool::Skopeo | Tool::Crane | Tool::Hangar => Ok(()),
        }
    }

    /// The hangar command, with the platforms of the run.
    fn hangar(&self) -> String {
        let run = &self.plan.run;
        let mut text =
            "This file was only printed. To use it: hangar mirror --overwrite -f FILE".to_owned();
        for (flag, words) in [("--arch", Some(&run.arch)), ("--os", run.os.as_ref())] {
            if let Some(words) = words.filter(|words| !words.is_empty()) {
                text += &format!(" {flag} {}", shell_word(&words.join(",")));
            }
        }
        if !self.plan.insecure_registries.is_empty() {
            text += " --tls-verify=false";
        }
        text
    }

    /// Prints the repair of one image.
    pub fn image(&mut self, failure: &Failure) -> io::Result<()> {
        let number = match failure.number {
            Some(number) => format!("M_ID:{number}"),
            None => format!("line {}", failure.line),
        };
        writeln!(self.out)?;
        self.comment(&format!("{number} {}: {}", failure.code, failure.message))?;
        for step in steps(self.plan, failure) {
            match step {
                Step::Comment(text) => self.comment(&text)?,
                Step::Command(words) => {
                    let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
                    writeln!(self.out, "{}", words.join(" "))?;
                }
                Step::Line(fields) => writeln!(self.out, "{}", fields.join(" "))?,
                Step::Entry {
                    from,
                    to,
                    force,
                    referrers,
                } => self.entry(from, to, force, referrers)?,
            }
        }
        Ok(())
    }

    fn entry(&mut self, from: String, to: String, force: bool, referrers: bool) -> io::Result<()> {
        if self.plan.tool == Tool::ImageSyncer {
            self.comment(&format!("  {from}: {to}"))?;
            let next = self.sources.len();
            let index = *self.indices.entry(from.clone()).or_insert(next);
            if index == next {
                self.sources.push((from, Vec::new()));
            }
            self.sources[index].1.push(to);
            return Ok(());
        }
        if !self.has_entries {
            self.has_entries = true;
            writeln!(self.out, "sync:")?;
        }
        let (from, to) = (yaml_scalar(&from), yaml_scalar(&to));
        writeln!(
            self.out,
            "  - source: {from}\n    target: {to}\n    type: image"
        )?;
        if force {
            writeln!(self.out, "    forceRecursive: true")?;
        }
        if referrers {
            writeln!(self.out, "    digestTags: true\n    referrers: true")?;
        }
        Ok(())
    }

    pub fn end(&mut self, counts: &LineCounts) -> io::Result<()> {
        if self.plan.tool == Tool::Regsync && !self.has_entries {
            writeln!(self.out, "sync: []")?;
        }
        if self.plan.tool == Tool::ImageSyncer {
            writeln!(self.out)?;
            for (from, to) in std::mem::take(&mut self.sources) {
                let to: Vec<String> = to.iter().map(|name| yaml_scalar(name)).collect();
                writeln!(self.out, "{}: [{}]", yaml_scalar(&from), to.join(", "))?;
            }
            if self.indices.is_empty() {
                writeln!(self.out, "{{}}")?;
            }
        }
        if counts.repeated > 0 || counts.not_validated > 0 {
            writeln!(self.out)?;
        }
        if counts.repeated > 0 {
            self.comment(&format!(
                "{} more with an image that is listed above",
                lines(counts.repeated)
            ))?;
        }
        if counts.not_validated > 0 {
            self.comment(&format!(
                "{} not validated: no commands are printed for them; run mirror-validate again",
                lines(counts.not_validated)
            ))?;
        }
        self.out.flush()
    }
}

fn lines(count: u64) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} line{s}")
}
