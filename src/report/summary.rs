//! The totals of a run, and the line that ends it.

use std::path::Path;
use std::time::Duration;

use crate::exit::Exit;

/// How many lines came to which end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Images that passed.
    pub passed: u64,
    /// Images that failed.
    pub failed: u64,
    /// Images and lines that could not be validated.
    pub not_validated: u64,
    /// The signal that ended the run.
    pub signal: Option<i32>,
    /// Whether the list could not be read, or the failed list not be written.
    pub broke: bool,
}

impl Totals {
    /// All that have come to an end.
    pub fn images(&self) -> u64 {
        self.passed + self.failed + self.not_validated
    }

    /// The exit code that they make.
    pub fn exit(&self) -> Exit {
        match self {
            Self {
                signal: Some(signal),
                ..
            } => Exit::Interrupted(u8::try_from(*signal).unwrap_or(2)),
            Self { broke: true, .. } => Exit::Usage,
            Self { failed: 1.., .. } => Exit::Failed,
            Self {
                not_validated: 1.., ..
            } => Exit::NotValidated,
            _ => Exit::Passed,
        }
    }

    /// The last line of a run.
    pub fn summary(&self, elapsed: Duration, failed_list: Option<&Path>) -> String {
        let images = self.images();
        let mut text = match self.signal {
            Some(signal) => format!("interrupted by {}: ", signal_name(signal)),
            None => String::new(),
        };
        text += &format!(
            "{images} image{}: {} passed, {} failed, {} not validated in {}",
            if images == 1 { "" } else { "s" },
            self.passed,
            self.failed,
            self.not_validated,
            duration(elapsed),
        );
        if let Some(path) = failed_list {
            text += &format!("; failed list: {}", path.display());
        }
        text
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP".to_owned(),
        2 => "SIGINT".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

/// A time for people: `0.3s`, `12m05s`, `2h00m`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", time.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_failed_from_not_validated() {
        let totals = |passed, failed, not_validated| Totals {
            passed,
            failed,
            not_validated,
            ..Totals::default()
        };
        assert_eq!(totals(0, 0, 0).exit(), Exit::Passed);
        assert_eq!(totals(3, 0, 0).exit(), Exit::Passed);
        assert_eq!(totals(3, 1, 1).exit(), Exit::Failed);
        assert_eq!(totals(3, 0, 1).exit(), Exit::NotValidated);
        assert_eq!(
            Totals {
                broke: true,
                ..totals(0, 1, 0)
            }
            .exit(),
            Exit::Usage
        );
        assert_eq!(
            Totals {
                signal: Some(15),
                ..totals(0, 1, 0)
            }
            .exit(),
            Exit::Interrupted(15)
        );
    }

    #[test]
    fn the_summary_names_what_counts() {
        let totals = Totals {
            passed: 1,
            ..Totals::default()
        };
        assert_eq!(
            totals.summary(Duration::from_millis(320), None),
            "1 image: 1 passed, 0 failed, 0 not validated in 0.3s"
        );
        let totals = Totals {
            failed: 2,
            signal: Some(2),
            ..Totals::default()
        };
        assert_eq!(
            totals.summary(Duration::from_secs(125), Some(Path::new("x.txt"))),
            "interrupted by SIGINT: 2 images: 0 passed, 2 failed, 0 not validated in 2m05s; failed list: x.txt"
        );
    }
}
