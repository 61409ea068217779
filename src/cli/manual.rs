//! The built-in manual: topics and reason codes, from the texts in `src/help/`.
//!
//! The texts are Markdown that is printed as it is: one title, sections, paragraphs, and blocks indented
//! by four blanks.

use super::flags;

pub struct Topic {
    pub name: &'static str,
    /// One line, lower case.
    pub summary: &'static str,
    pub text: &'static str,
}

macro_rules! topic {
    ($name:literal, $summary:literal) => {
        Topic {
            name: $name,
            summary: $summary,
            text: include_str!(concat!("../help/", $name, ".md")),
        }
    };
}

pub static TOPICS: &[Topic] = &[
    topic!("list", "formats of the image list, and image names"),
    topic!("flags", "syntax of flags, and environment variables"),
    topic!("verdicts", "comparison, and classes of differences"),
    topic!("messages", "failure messages and their remedies"),
    topic!("codes", "reason codes; 'help CODE' explains one"),
    topic!("exit", "exit codes, failed list, cron"),
    topic!("log", "log, summary, progress, interactive use"),
    topic!("credentials", "credential files and environment variables"),
    topic!("certificates", "CAs, self-signed certificates, plain HTTP"),
    topic!("proxies", "proxies and their environment variables"),
    topic!("deep", "finding missing and damaged layers"),
    topic!("referrers", "signatures, SBOMs, attestations"),
    topic!("airgap", "validating without access to the source registry"),
    topic!("report", "reports as JSON, JUnit, CSV, Markdown, HTML"),
    topic!("metrics", "metrics and alerts for Prometheus"),
    topic!("shards", "splitting a list between several hosts"),
    topic!("kubernetes", "running as a Kubernetes Job"),
    topic!("speed", "timeouts, retries, benchmarks"),
    topic!("contributing", "structure of the source code"),
];

pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

pub fn code(name: &str) -> Option<String> {
    let codes = topic("codes")?;
    let (_, text) = sections(codes.text).find(|(title, _)| *title == name)?;
    Some(format!("# {name}\n\n{}\n", text.trim()))
}

/// All documented reason codes.
pub fn codes() -> impl Iterator<Item = &'static str> {
    let text = topic("codes").map_or("", |topic| topic.text);
    sections(text).map(|(title, _)| title)
}

/// The topic or code nearest to a mistyped one.
pub fn nearest(typed: &str) -> Option<&'static str> {
    let topics = TOPICS.iter().map(|topic| topic.name);
    flags::nearest(typed, topics.chain(codes()))
}

/// Titles and texts of the sections.
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
