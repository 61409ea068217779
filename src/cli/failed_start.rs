//! A run that could not begin writes its exit code to the metrics, so that an alert fires at once and not
//! only when the last metrics are too old.

use std::path::PathBuf;

use super::commands::Flags;
use super::validate::inputs;
use crate::exit::Exit;
use crate::list::{List, Shard};
use crate::output::{self, METRICS, OutputRequest};

/// `None` without `--metrics`.
pub struct FailedStart(Option<StartContext>);

struct StartContext {
    metrics: PathBuf,
    list: Vec<PathBuf>,
    shard: Option<Shard>,
}

impl FailedStart {
    /// `flags` may be incomplete. Metrics that conflict with another file of the run are not written.
    pub fn of(flags: &Flags) -> Self {
        let requests = flags.output.requests();
        let is_metrics = |request: &&OutputRequest| request.kind.flag == METRICS.flag;
        let files = &flags.compare.files;
        let mut read = inputs(flags);
        read.extend(files.iter().map(|path| ("image list", path.as_path())));
        let metrics = requests
            .iter()
            .find(is_metrics)
            .filter(|metrics| output::is_apart(metrics, requests, &read));
        Self(metrics.map(|metrics| StartContext {
            metrics: metrics.path.clone(),
            list: files.clone(),
            shard: flags.compare.shard,
        }))
    }

    /// Writes the metrics. Best effort: only the error that ended the run is reported.
    pub fn note(&self) {
        if let Some(note) = &self.0 {
            let list = List::unopened(&note.list);
            let _ = output::write_failed_start(&note.metrics, &list, note.shard, Exit::Usage);
        }
    }
}
