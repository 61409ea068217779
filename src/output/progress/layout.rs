//! The text of the progress bar, fitted to the columns of the terminal: the most important numbers
//! first, the rest as far as there is room.

use std::time::Duration;

use indicatif::HumanBytes;

use crate::log::Waiting;
use crate::output::Counts;
use crate::task::TaskWording;

/// Terminals of fewer columns have no room for a bar beside its numbers.
const NARROW: usize = 60;

pub struct ProgressState {
    pub words: &'static TaskWording,
    pub counts: Counts,
    /// Images that have an outcome.
    pub done: u64,
    /// Images of the list; `None`: unknown.
    pub total: Option<u64>,
    pub left: Option<Duration>,
    pub rate: Option<f64>,
    /// Blob bytes read.
    pub bytes: u64,
    /// Time since the start of the run, once that is long enough for a rate.
    pub elapsed: Option<Duration>,
    pub waiting: Option<Waiting>,
    /// Until the next attempt of `--wait`; `None`: an attempt is going on.
    pub pause: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wording {
    /// `failed 3, not validated 1, 8m05s left`
    Long,
    /// `failed 3, n/v 1, 8m05s left`
    Short,
    /// `F3 N1 8m05s`
    Letters,
}

impl Wording {
    const fn separator(self) -> &'static str {
        match self {
            Self::Long | Self::Short => ", ",
            Self::Letters => " ",
        }
    }
}

/// The text of the bar, one column narrower than the terminal, so that the cursor stays in the line.
pub fn bar(columns: usize, facts: &ProgressState) -> String {
    let room = columns.saturating_sub(1);
    let forms: &[(usize, Wording)] = match columns {
        160.. => &[(40, Wording::Long)],
        120.. => &[(24, Wording::Long)],
        NARROW.. => &[
            (16, Wording::Long),
            (10, Wording::Long),
            (5, Wording::Long),
            (5, Wording::Short),
            (0, Wording::Short),
        ],
        _ => &[
            (0, Wording::Long),
            (0, Wording::Short),
            (0, Wording::Letters),
        ],
    };
    let texts = forms
        .iter()
        .map(|(width, words)| (what_matters(*width, *words, facts), *words));
    let waiting = facts.waiting.as_ref().map_or_else(Vec::new, waits);
    let fits = |text: &str, more: Option<&String>| {
        width(text) + more.map_or(0, |more| width(more) + 2) <= room
    };
    // The first form with room for the whole name of the host, or else one with room for a part of it.
    let whole = texts.clone().find_map(|(text, words)| {
        let waiting = waiting.iter().find(|waiting| fits(&text, Some(waiting)));
        let is_whole = facts.waiting.is_none() || waiting.is_some();
        (is_whole && fits(&text, None)).then(|| (text, words, waiting.cloned()))
    });
    let cut = || {
        [Wording::Short, Wording::Letters]
            .into_iter()
            .find_map(|words| {
                let text = what_matters(0, words, facts);
                let room = room.checked_sub(width(&text) + words.separator().len())?;
                let waiting = cut_wait(facts.waiting.as_ref()?, room)?;
                Some((text, words, Some(waiting)))
            })
    };
    let shortest = || {
        let words = Wording::Letters;
        (what_matters(0, words, facts), words, None)
    };
    let (mut text, words, waiting) = whole.or_else(cut).unwrap_or_else(shortest);
    let separator = words.separator();
    for part in waiting.into_iter().chain(rest(facts)) {
        if width(&text) + separator.len() + width(&part) <= room {
            text = text + separator + &part;
        }
    }
    // A terminal too narrow for the numbers.
    text.chars().take(room).collect()
}

/// Everything in one line, without a limit on its width.
pub fn plain(facts: &ProgressState) -> String {
    let mut parts = vec![what_matters(0, Wording::Long, facts)];
    parts.extend(
        facts
            .waiting
            .as_ref()
            .and_then(|waiting| waits(waiting).into_iter().next()),
    );
    parts.extend(rest(facts));
    parts.join(", ")
}

/// The bar, the counts of images done, failed and not validated, and the time left.
fn what_matters(bar: usize, form: Wording, facts: &ProgressState) -> String {
    let ProgressState { words, counts, .. } = facts;
    let position = match facts.total {
        Some(total) => format!("{}/{total}", facts.done),
        None => facts.done.to_string(),
    };
    let not_passed = counts.not_validated;
    let mut parts = Vec::new();
    if words.compares {
        parts.push(match form {
            Wording::Letters => format!("F{}", counts.failed),
            _ => format!("failed {}", counts.failed),
        });
    }
    parts.push(match form {
        Wording::Long => format!("{} {not_passed}", words.not_passed),
        Wording::Short => format!("{} {not_passed}", initials(words.not_passed)),
        Wording::Letters => format!("N{not_passed}"),
    });
    parts.extend(match (facts.pause, form) {
        (Some(pause), Wording::Letters) => Some(time(pause)),
        (Some(pause), _) => Some(format!("next attempt in {}", time(pause))),
        (None, Wording::Letters) => facts.left.map(time),
        (None, _) => facts.left.map(|left| format!("{} left", time(left))),
    });
    let drawn = match facts.total {
        Some(total) if bar > 0 => draw(bar, facts.done, total) + " ",
        _ => String::new(),
    };
    format!("{drawn}{position} {}", parts.join(form.separator()))
}

/// Further parts, the most useful first.
fn rest(facts: &ProgressState) -> Vec<String> {
    let mut parts = vec![format!("{} {}", facts.words.passed, facts.counts.passed)];
    if facts.bytes > 0 {
        let mut read = format!("{} read", HumanBytes(facts.bytes));
        if let Some(elapsed) = facts.elapsed {
            let rate = u128::from(facts.bytes) * 1000 / elapsed.as_millis().max(1);
            let rate = u64::try_from(rate).unwrap_or(u64::MAX);
            read += &format!(" ({}/s)", HumanBytes(rate));
        }
        parts.push(read);
    }
    parts.extend(facts.rate.map(|rate| format!("{rate:.1}/s")));
    parts
}

/// The host that requests wait for, the longest text first.
fn waits(waiting: &Waiting) -> Vec<String> {
    let text = format!("waiting for {}, attempt {}", waiting.host, waiting.attempt);
    match waiting.others {
        0 => vec![text],
        1 => vec![format!("{text} (and 1 more host)"), text],
        others => vec![format!("{text} (and {others} more hosts)"), text],
    }
}

/// The same in `room` columns; `None` where not even a part of the name fits.
fn cut_wait(waiting: &Waiting, room: usize) -> Option<String> {
    const LEAST: usize = 8;
    let attempt = format!(", attempt {}", waiting.attempt);
    [("waiting for ", attempt.as_str()), ("wait ", "")]
        .into_iter()
        .find_map(|(before, behind)| {
            let room = room.checked_sub(before.len() + behind.len())?;
            if width(&waiting.host) <= room {
                return Some(format!("{before}{}{behind}", waiting.host));
            }
            (room >= LEAST).then(|| {
                let name: String = waiting.host.chars().take(room - 1).collect();
                format!("{before}{name}…{behind}")
            })
        })
}

/// A bar of `columns` columns between its brackets.
fn draw(columns: usize, done: u64, total: u64) -> String {
    let all = columns as u128;
    let filled = u128::from(done.min(total)) * all;
    let filled = filled.checked_div(u128::from(total)).unwrap_or(all);
    let filled = usize::try_from(filled).unwrap_or(columns);
    let bar = "=".repeat(filled) + if done > 0 { ">" } else { "" };
    let bar: String = bar.chars().take(columns).collect();
    format!("[{bar:columns$}]")
}

fn initials(words: &str) -> String {
    let initials = words.split(' ').filter_map(|word| word.get(..1));
    initials.collect::<Vec<_>>().join("/")
}

/// An estimated duration: `12s`, `8m05s`, `2h00m`.
fn time(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        _ => crate::output::summary::duration(time),
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: TaskWording = TaskWording {
        task: "validate",
        passed: "passed",
        not_passed: "not validated",
        compares: true,
        pass_line: |_, _| String::new(),
    };

    fn facts(host: Option<&str>) -> ProgressState {
        ProgressState {
            words: &WORDS,
            counts: Counts {
                passed: 1085,
                failed: 103,
                not_validated: 12,
            },
            done: 1200,
            total: Some(7526),
            left: Some(Duration::from_secs(485)),
            rate: Some(13.04),
            bytes: 0,
            elapsed: Some(Duration::from_secs(92)),
            pause: None,
            waiting: host.map(|host| Waiting {
                host: host.to_owned(),
                attempt: 3,
                others: 0,
            }),
        }
    }

    #[test]
    fn essential_parts_are_never_cut() {
        for (columns, host, expected) in [
            (
                200,
                None,
                "[======>                                 ] 1200/7526 failed 103, not validated 12, 8m05s left, passed 1085, 13.0/s",
            ),
            (
                120,
                None,
                "[===>                    ] 1200/7526 failed 103, not validated 12, 8m05s left, passed 1085, 13.0/s",
            ),
            (
                80,
                None,
                "[==>             ] 1200/7526 failed 103, not validated 12, 8m05s left, 13.0/s",
            ),
            (
                60,
                None,
                "[>    ] 1200/7526 failed 103, not validated 12, 8m05s left",
            ),
            (40, None, "1200/7526 F103 N12 8m05s passed 1085"),
            (20, None, "1200/7526 F103 N12 "),
            (
                200,
                Some("reg.local"),
                "[======>                                 ] 1200/7526 failed 103, not validated 12, 8m05s left, waiting for reg.local, attempt 3, passed 1085, 13.0/s",
            ),
            (
                80,
                Some("reg.local"),
                "1200/7526 failed 103, n/v 12, 8m05s left, waiting for reg.local, attempt 3",
            ),
            (
                80,
                Some("registry.example.com:5000"),
                "1200/7526 failed 103, n/v 12, 8m05s left, waiting for registry.exam…, attempt 3",
            ),
            (
                40,
                Some("reg.local"),
                "1200/7526 F103 N12 8m05s wait reg.local",
            ),
        ] {
            let text = bar(columns, &facts(host));
            assert!(width(&text) < columns, "{columns}: {text}");
            assert_eq!(text, expected, "{columns}");
        }
    }

    #[test]
    fn large_numbers_fit_too() {
        for total in [None, Some(1_000_000)] {
            for columns in [40, 60, 80, 100, 120, 160, 200] {
                let mut facts = facts(Some("a-very-long-name-of-a-registry.example.com:5000"));
                facts.total = total;
                facts.counts.failed = 103_000;
                facts.counts.not_validated = 112_000;
                facts.done = 999_999;
                facts.left = Some(Duration::from_secs(45_000));
                let text = bar(columns, &facts);
                assert!(width(&text) < columns, "{columns}: {text}");
                let position = total.map_or("999999", |_| "999999/1000000");
                for part in [position, "103000", "112000", "12h30m"] {
                    assert!(text.contains(part), "{columns}: {part} in {text}");
                }
                assert!(columns < 60 || text.contains("wait"), "{columns}: {text}");
                facts.waiting = None;
                let text = bar(columns, &facts);
                assert!(
                    columns < 80 || total.is_none() || text.starts_with('['),
                    "{columns}: {text}"
                );
            }
        }
    }

    #[test]
    fn a_plain_line_has_everything() {
        let mut facts = facts(Some("reg.local"));
        facts.waiting.as_mut().expect("a host").others = 2;
        facts.bytes = 92 * 1024 * 1024;
        facts.left = None;
        assert_eq!(
            plain(&facts),
            "1200/7526 failed 103, not validated 12, waiting for reg.local, attempt 3 (and 2 more hosts), passed 1085, 92.00 MiB read (1.00 MiB/s), 13.0/s"
        );
    }

    #[test]
    fn a_recording_has_its_own_words() {
        const RECORD: TaskWording = TaskWording {
            passed: "recorded",
            not_passed: "not recorded",
            compares: false,
            ..WORDS
        };
        let facts = ProgressState {
            words: &RECORD,
            total: None,
            left: None,
            ..facts(None)
        };
        assert_eq!(
            bar(80, &facts),
            "1200 not recorded 12, recorded 1085, 13.0/s"
        );
    }

    #[test]
    fn between_attempts_the_bar_shows_when_the_next_one_begins() {
        let facts = ProgressState {
            pause: Some(Duration::from_secs(70)),
            ..facts(None)
        };
        let text = bar(80, &facts);
        assert!(text.contains("next attempt in 1m10s"), "{text}");
        assert!(!text.contains("left"), "{text}");
        assert!(bar(30, &facts).contains("1m10s"));
    }

    #[test]
    fn the_bar_is_full_at_the_end() {
        assert_eq!(draw(5, 0, 10), "[     ]");
        assert_eq!(draw(5, 1, 10), "[>    ]");
        assert_eq!(draw(5, 9, 10), "[====>]");
        assert_eq!(draw(5, 10, 10), "[=====]");
        assert_eq!(draw(5, 0, 0), "[=====]");
        assert_eq!(draw(5, 12, 10), "[=====]");
    }
}
