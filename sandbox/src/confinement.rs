//! Whether this machine confines verifiers.

use common::exit::ExitStatus;
use common::ui::Ui;
use thiserror::Error;

use crate::error::SandboxError;
use crate::launch::with_causes;
use crate::process::{Sandbox, Settings};
use crate::self_test::{Attempt, self_test};

/// This machine does not confine programs.
#[derive(Debug, Error)]
#[error("verifiers cannot be confined on this machine: {0}; --unsafe runs them anyway")]
pub struct Unconfined(String);

/// Prints what is denied to verifiers on this machine, and what is not.
pub fn show(settings: &Settings, ui: &Ui) -> Result<ExitStatus, SandboxError> {
    let mut sandbox = Sandbox::start(settings)?;
    let attempts = self_test(&mut sandbox)?;
    ui.info(format_args!("Landlock interface: version {}", sandbox.landlock_version()));
    for attempt in &attempts {
        ui.info(format_args!("{:<36} {}", attempt.what, attempt.result));
    }
    let allowed = attempts.iter().filter(|attempt| !attempt.is_denied()).count();
    ui.info(format_args!("{} attempts, {allowed} of them not denied", attempts.len()));
    Ok(ExitStatus::failed_if(allowed > 0))
}

/// Finds out whether this machine confines verifiers, and returns the sandbox that was started for it. If it
/// does not, this is an error unless `allow_unconfined`; `settings` may then change.
pub fn check(
    settings: &mut Settings,
    allow_unconfined: bool,
    ui: &Ui,
) -> Result<Option<Sandbox>, Unconfined> {
    let (sandbox, reason) = match start_tested(settings) {
        Ok((sandbox, attempts)) => {
            let allowed: Vec<&str> = attempts
                .iter()
                .filter(|attempt| !attempt.is_denied())
                .map(|attempt| attempt.what.as_str())
                .collect();
            if allowed.is_empty() {
                return Ok(Some(sandbox));
            }
            (Some(sandbox), format!("a verifier could {}", allowed.join(", ")))
        }
        Err(error) => {
            settings.confined = false;
            (None, with_causes(&error))
        }
    };
    if !allow_unconfined {
        return Err(Unconfined(reason));
    }
    ui.warn(format_args!("verifiers are run unconfined: {reason}"));
    Ok(sandbox)
}

fn start_tested(settings: &Settings) -> Result<(Sandbox, Vec<Attempt>), SandboxError> {
    let mut sandbox = Sandbox::start(settings)?;
    let attempts = self_test(&mut sandbox)?;
    Ok((sandbox, attempts))
}
