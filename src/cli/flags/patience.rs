//! Speed and patience: threads, time limits, retries.

use std::time::Duration;

use super::{Flag, FlagValue, Group, PLAIN};

#[derive(Debug, Default)]
pub struct PatienceFlags {
    /// Not yet clamped.
    pub jobs: i64,
    /// Above zero.
    pub timeout: Duration,
    pub retries: u32,
    pub patience: Duration,
    /// Above zero; `None`: one attempt.
    pub wait: Option<Duration>,
}

pub const GROUP: Group = Group {
    title: "Speed and patience",
    flags: &[
        Flag {
            names: &["-j", "--jobs"],
            takes: FlagValue::Text("int", |flags, text| {
                flags.patience.jobs = text.parse().map_err(|_| "a number from 1 to 20")?;
                Ok(())
            }),
            help: "job number, async mode if larger than 1, maximum is 20",
            default: "1",
            is_original: true,
            ..PLAIN
        },
        Flag {
            names: &["--timeout"],
            takes: FlagValue::Text("duration", |flags, text| {
                flags.patience.timeout = duration(text)
                    .filter(|timeout| !timeout.is_zero())
                    .ok_or("a duration above 0 with its unit, for example 30s, 2m or 1m30s")?;
                Ok(())
            }),
            help: "abort a request after this long without progress, for example 90s or 2m",
            default: "30s",
            ..PLAIN
        },
        Flag {
            names: &["--retries"],
            takes: FlagValue::Text("int", |flags, text| {
                flags.patience.retries = text.parse().map_err(|_| "a number, 0 or more")?;
                Ok(())
            }),
            help: "retries per request after temporary errors",
            default: "4",
            ..PLAIN
        },
        Flag {
            names: &["--patience"],
            takes: FlagValue::Text("duration", |flags, text| {
                flags.patience.patience =
                    duration(text).ok_or("a duration with its unit, for example 0s, 30s or 2m")?;
                Ok(())
            }),
            help: "total time to wait for a registry that does not respond, shared by all its images",
            default: "2m",
            ..PLAIN
        },
        Flag {
            names: &["--wait"],
            takes: FlagValue::Text("duration", |flags, text| {
                let wait = duration(text).filter(|wait| !wait.is_zero());
                flags.patience.wait =
                    Some(wait.ok_or("a duration above 0 with its unit, for example 30m or 2h")?);
                Ok(())
            }),
            help: "validate again the images that did not pass, with growing pauses, until all pass or this time is over",
            ..PLAIN
        },
    ],
};

fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}
