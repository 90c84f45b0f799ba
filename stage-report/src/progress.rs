//! How far a run is: which stage is at work, and how the others ended.

use std::path::Path;

use common::read::read_regular;
use serde::Serialize;

/// The stages in the order of the chain, and their manifests.
const STAGES: [(&str, &str); 6] = [
    ("propose", "seeds"),
    ("amplify", "files"),
    ("extract", "tasks"),
    ("verify-spec", "verdicts"),
    ("probe", "probes"),
    ("verify-task", "trials"),
];

/// The largest file with an exit status that is read, in bytes.
const MAX_STATUS: usize = 64;
/// The largest log that is read, in bytes.
const MAX_LOG: usize = 16 << 20;

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Progress {
    /// The stages that have ended, in the order of the chain, with their exit statuses.
    pub(crate) ended: Vec<(&'static str, i32)>,
    /// The stage whose manifest is not complete: it is at work, or was killed.
    pub(crate) at_work: Option<&'static str>,
    /// The last error in the log of the stage that stopped the chain.
    pub(crate) reason: Option<String>,
}

impl Progress {
    /// Reads what `make` and the stages leave in a run directory.
    pub(crate) fn of(dir: &Path) -> Self {
        let ended: Vec<_> =
            STAGES.iter().filter_map(|(stage, _)| Some((*stage, status(dir, stage)?))).collect();
        let is_unfinished = |manifest: &str| dir.join(format!("{manifest}.jsonl.partial")).exists();
        let at_work = STAGES.iter().find(|(_, manifest)| is_unfinished(manifest)).map(|(stage, _)| *stage);
        let mut progress = Self { ended, at_work, reason: None };
        progress.reason = progress.stopped().and_then(|(stage, _)| last_error(dir, stage));
        progress
    }

    /// The stage that stopped the chain, and its exit status.
    pub(crate) fn stopped(&self) -> Option<(&'static str, i32)> {
        self.ended.iter().copied().find(|(_, status)| !matches!(status, 0 | 1 | 141))
    }

    /// Whether the same command would do something.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.ended.len() < STAGES.len() || self.ended.iter().any(|(_, status)| !matches!(status, 0 | 141))
    }

    /// The state for people, in a few words.
    pub(crate) fn state(&self) -> String {
        if let Some(stage) = self.at_work {
            return format!("{stage} at work, or killed");
        }
        if let Some((stage, status)) = self.stopped() {
            return match status {
                3 => format!("{stage} stopped by a limit"),
                130 => format!("{stage} interrupted"),
                _ => format!("{stage} failed"),
            };
        }
        if let Some((next, _)) =
            STAGES.iter().find(|(stage, _)| !self.ended.iter().any(|(ended, _)| ended == stage))
        {
            return format!("waits for {next}");
        }
        let some: Vec<_> =
            self.ended.iter().filter(|(_, status)| *status == 1).map(|(stage, _)| *stage).collect();
        if some.is_empty() { "done".to_owned() } else { format!("done; some failed: {}", some.join(", ")) }
    }
}

/// The exit status of a stage that `make` ran last.
fn status(dir: &Path, stage: &str) -> Option<i32> {
    let text = read_regular(&dir.join(format!(".{stage}.status")), MAX_STATUS).ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

/// The last error in the log that a fleet keeps of a stage.
fn last_error(dir: &Path, stage: &str) -> Option<String> {
    let log = read_regular(&dir.join(format!("logs/fleet/{stage}.log")), MAX_LOG).ok()?;
    let log = String::from_utf8_lossy(&log);
    let of_stage = format!("stage-{stage}: ");
    let mut lines = log.lines().filter_map(|line| line.strip_prefix(&of_stage));
    let error = lines.clone().rfind(|line| line.starts_with("error"));
    error.or_else(|| lines.next_back()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(ended: &[(&'static str, i32)]) -> Progress {
        Progress { ended: ended.to_vec(), ..Progress::default() }
    }

    #[test]
    fn the_state_names_the_stage_that_stopped_the_chain() {
        assert_eq!(progress(&[]).state(), "waits for propose");
        assert_eq!(progress(&[("propose", 0)]).state(), "waits for amplify");
        assert_eq!(progress(&[("propose", 0), ("amplify", 3)]).state(), "amplify stopped by a limit");
        let all: Vec<_> = STAGES.iter().map(|(stage, _)| (*stage, i32::from(*stage == "probe"))).collect();
        assert_eq!(progress(&all).state(), "done; some failed: probe");
        assert!(progress(&all).is_incomplete());
        let again = Progress { at_work: Some("amplify"), ..progress(&[("amplify", 2)]) };
        assert_eq!(again.state(), "amplify at work, or killed");
    }
}
