//! The checklist by which a vision model evaluates a task, and the privileged information behind it.
//!
//! `vlm_checklist.json` lists what the model looks for in screenshots: `task_completion` items with points, and
//! `integrity` items that describe shortcuts. `privileged_info_for_vlm` tells the model what the agent must find
//! out. `validated_pi.json` names for each such fact the place in the task's files that proves it, and a status.
//!
//! The stated status is a claim. [`Facts::check`] computes it from the task's files instead:
//!
//! ```
//! use task_spec::checklist::{Facts, Item, Status};
//! use task_spec::pyjson::parse;
//!
//! let spec = parse(r#"{"metadata": {"expected_rows": 12}}"#)?;
//! let evidence = parse(
//!     r#"{"pi_items": [
//!         {"key": "expected_rows", "metadata_value": 12, "verified_value": 12, "source": "setup_task.sh:2"},
//!         {"key": "expected_rows", "metadata_value": 12, "verified_value": 13, "source": "setup_task.sh:2"}
//!     ]}"#,
//! )?;
//! let files = |name: &str| (name == "setup_task.sh").then(|| "#!/bin/sh\nROWS=12\n".to_owned());
//! let facts = Facts::new(Some(&spec), None, &files);
//! let statuses: Vec<_> = Item::all(&evidence).map(|item| facts.check(&item).status).collect();
//! assert_eq!(statuses, [Status::Verified, Status::Contradicted]);
//! # Ok::<(), task_spec::pyjson::JsonError>(())
//! ```

mod facts;
mod form;
mod rehearsal;
mod same;
mod score;
mod settle;
mod shape;
mod source;
mod verifier;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::facts::{Facts, Finding, Ground, Item, environment_text};
pub use self::form::{checklist_schema, evidence_schema};
pub use self::rehearsal::rehearse;
pub use self::score::{Score, Thresholds, score};
pub use self::settle::{Settled, settle};
pub use self::shape::{Fault, Rule, checklist_faults, evidence_faults};

/// The name of the checklist in a task folder.
pub const CHECKLIST: &str = "vlm_checklist.json";

/// The name of the file with the evidence for the privileged information.
pub const EVIDENCE: &str = "validated_pi.json";

/// The code of a finding about contradicted privileged information.
pub const PI_CONTRADICTED: &str = "pi_contradicted";

/// Whether the files of a task prove a piece of privileged information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A named place holds the value, and nothing contradicts it.
    Verified,
    /// The files of the task say something else.
    Contradicted,
    /// The files neither prove nor contradict it.
    Unverified,
}

impl Status {
    /// The status as `validated_pi.json` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Contradicted => "contradicted",
            Self::Unverified => "unverified",
        }
    }
}
