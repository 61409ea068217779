//! The manual that the program carries: topics and reason codes, from the texts in `src/help/`.
//!
//! The texts are Markdown that reads well as it is: one title, sections, paragraphs, and blocks
//! that are indented by four blanks.

use super::flags;

/// A topic of the manual.
pub struct Topic {
    pub name: &'static str,
    /// In one line, lower case.
    pub summary: &'static str,
    pub text: &'static str,
}

/// A topic from the file of its name.
macro_rules! topic {
    ($name:literal, $summary:literal) => {
        Topic {
            name: $name,
            summary: $summary,
            text: include_str!(concat!("../help/", $name, ".md")),
        }
    };
}

/// All topics, in the order of the help.
pub static TOPICS: &[Topic] = &[
    topic!("list", "forms of the image list, and names of images"),
    topic!("flags", "how flags are written, and variables"),
    topic!("verdicts", "what is compared, and why digests differ"),
    topic!("messages", "messages of failures, and what to do"),
    topic!("codes", "reason codes; 'help CODE' explains one"),
    topic!("exit", "exit codes, the failed list, cron"),
    topic!("log", "log, summary, progress, typed images"),
    topic!("credentials", "files and variables with passwords"),
    topic!("certificates", "CAs, self-signed certificates, plain HTTP"),
    topic!("proxies", "proxies and their variables"),
    topic!("deep", "missing and damaged layers"),
    topic!("referrers", "signatures, SBOMs, attestations"),
    topic!("airgap", "recordings for hosts without the source"),
    topic!("report", "reports as JSON, JUnit, CSV, Markdown, HTML"),
    topic!("metrics", "totals and alerts for Prometheus"),
    topic!("shards", "one list for several hosts"),
    topic!("kubernetes", "jobs in Kubernetes"),
    topic!("speed", "time-outs, retries, measurements"),
    topic!("contributing", "where to change this program"),
];

/// The topic of this name.
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

/// The section on a reason code.
pub fn code(name: &str) -> Option<String> {
    let codes = topic("codes")?;
    let (_, text) = sections(codes.text).find(|(title, _)| *title == name)?;
    Some(format!("# {name}\n\n{}\n", text.trim()))
}

/// All reason codes that are explained.
pub fn codes() -> impl Iterator<Item = &'static str> {
    let text = topic("codes").map_or("", |topic| topic.text);
    sections(text).map(|(title, _)| title)
}

/// The topic or code that is nearest to a mistyped one.
pub fn nearest(typed: &str) -> Option<&'static str> {
    let topics = TOPICS.iter().map(|topic| topic.name);
    flags::nearest(typed, topics.chain(codes()))
}

/// The sections of a text, each with its title.
fn sections(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("\n## ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn every_reason_code_of_the_report_is_explained() {
        let schema = include_str!("../../fixtures/report.schema.json");
        let schema: Value = serde_json::from_str(schema).expect("JSON");
        let mut known: Vec<&str> = enums(&schema)
            .into_iter()
            .find(|words| words.contains(&"destination-missing"))
            .expect("the enumeration of codes");
        let mut explained: Vec<&str> = codes().collect();
        known.sort_unstable();
        explained.sort_unstable();
        assert_eq!(explained, known);
        for name in known {
            let text = code(name).expect(name);
            let outcome = text.contains("FAILED") ^ text.contains("NOT VALIDATED");
            assert!(outcome, "{name} has one outcome: {text}");
        }
    }

    /// All lists of words that the schema allows.
    fn enums(schema: &Value) -> Vec<Vec<&str>> {
        match schema {
            Value::Object(fields) => fields
                .iter()
                .flat_map(|(key, value)| match (key.as_str(), value) {
                    ("enum", Value::Array(words)) => {
                        vec![words.iter().filter_map(Value::as_str).collect()]
                    }
                    _ => enums(value),
                })
                .collect(),
            Value::Array(values) => values.iter().flat_map(enums).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn topics_read_well_on_a_terminal() {
        for topic in TOPICS {
            assert!(topic.text.starts_with("# "), "{}", topic.name);
            for line in topic.text.lines() {
                let is_prose = !line.starts_with("    ") && !line.starts_with("## ");
                assert!(
                    !is_prose || line.chars().count() <= 84,
                    "{}: {line}",
                    topic.name
                );
                assert!(line.is_ascii(), "{}: {line}", topic.name);
            }
        }
    }
}
