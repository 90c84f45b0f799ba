//! Where results arrive, in order, and go out.

use anyhow::Result;
use common::jsonl::{ManifestFile, RawLine};
use common::record::{Record, Spec};
use model_client::AskError;

use crate::duplicates::Seen;
use crate::maker::{Job, Made, Missing, near_duplicate};
use crate::readme;
use crate::run::Run;

/// Judges results beside those before them, and writes them.
pub(crate) struct Sink<'r, 'a> {
    run: &'r mut Run<'a>,
    /// The manifest of READMEs, when they are not what goes out.
    specs: Option<ManifestFile>,
    /// The descriptions of all tasks so far, when READMEs are written.
    seen: Option<Seen>,
    usable: Vec<String>,
    /// Why the run has ended.
    ended: Option<AskError>,
}

impl<'r, 'a> Sink<'r, 'a> {
    pub(crate) fn new(run: &'r mut Run<'a>, specs: Option<ManifestFile>, seen: Option<Seen>) -> Self {
        Self { run, specs, seen, usable: Vec::new(), ended: None }
    }

    /// Passes a line on that is none of this stage's business.
    pub(crate) fn pass_through(&mut self, line: &RawLine) -> Result<()> {
        Ok(self.run.output.raw(line)?)
    }

    /// Writes what came of a job, or says what is to be tried instead.
    pub(crate) fn take(&mut self, made: Made) -> Result<Option<Job>> {
        if let Some(Missing::Broken(error)) = made.why {
            return Err(error);
        }
        if let Some(Missing::Ended(error)) = made.why {
            self.ended.get_or_insert(error);
            return Ok(None);
        }
        let copied = made.spec.as_ref().and_then(|spec| self.copied(spec));
        if let Some(of) = copied {
            if made.readmes.attempts < self.run.settings.max_candidates {
                return Ok(Some(made.again(&format!(
                    "its description was nearly that of {of}: what is asked for has to be another task, as its row says"
                ))));
            }
            self.run.fail(near_duplicate(&made.job.row, &made.readmes, &of))?;
        } else {
            self.write(made)?;
        }
        Ok(None)
    }

    /// The task whose description the README's own is a copy of.
    fn copied(&mut self, spec: &Spec) -> Option<String> {
        let seen = self.seen.as_mut()?;
        let description = readme::description(&spec.readme);
        if let Some((of, _)) = seen.nearest(description) {
            return Some(of.to_owned());
        }
        seen.add(&spec.task, description);
        None
    }

    fn write(&mut self, made: Made) -> Result<()> {
        let Made { spec, files, why, .. } = made;
        if let Some(spec) = spec {
            let record = Record::Spec(spec);
            if let Some(specs) = &mut self.specs {
                specs.record(&record)?;
            } else if self.seen.is_some() {
                self.run.write(&record)?;
            }
        }
        if let Some(files) = files {
            self.usable.extend(files.task.clone());
            self.run.write(&Record::Files(files))?;
        }
        match why {
            Some(Missing::Failed(failure)) => self.run.fail(*failure),
            _ => Ok(()),
        }
    }

    /// Ends the passes: the names of the usable tasks, or why the run has ended.
    pub(crate) fn close(self) -> Result<Vec<String>> {
        if let Some(error) = self.ended {
            return Err(error.into());
        }
        if let Some(specs) = self.specs {
            specs.finish()?;
        }
        Ok(self.usable)
    }
}
