//! Whether this machine confines verifiers.

use anyhow::{Result, bail};
use common::exit::ExitStatus;
use common::ui::Ui;
use sandbox::{Attempt, Sandbox, self_test};

/// Prints what is denied to verifiers on this machine, and what is not.
pub(crate) fn show(settings: &sandbox::Settings, ui: &Ui) -> Result<ExitStatus> {
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
pub(crate) fn check(
    settings: &mut sandbox::Settings,
    allow_unconfined: bool,
    ui: &Ui,
) -> Result<Option<Sandbox>> {
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
            (None, format!("{:#}", anyhow::Error::from(error)))
        }
    };
    if !allow_unconfined {
        bail!("verifiers cannot be confined on this machine: {reason}; --unsafe runs them anyway");
    }
    ui.warn(format_args!("verifiers are run unconfined: {reason}"));
    Ok(sandbox)
}

fn start_tested(settings: &sandbox::Settings) -> Result<(Sandbox, Vec<Attempt>), sandbox::SandboxError> {
    let mut sandbox = Sandbox::start(settings)?;
    let attempts = self_test(&mut sandbox)?;
    Ok((sandbox, attempts))
}
