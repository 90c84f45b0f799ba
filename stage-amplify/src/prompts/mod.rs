//! Prompts: templates, what is rendered from them, and what is kept of it.
//!
//! A prompt has two parts. `PASS.md` is the prefix: all calls of a pass share it, byte for byte. `PASS.ask.md`
//! is the suffix of a single call. The other templates are included by these.

mod kept;
mod prefix;
mod rows;
mod templates;

pub(crate) use self::kept::KeptPrefixes;
pub(crate) use self::prefix::{
    agreement_prefix, checklist_prefix, files_prefix, fixtures_prefix, plan_prefix, readme_prefix,
    repair_prefix, solution_prefix,
};
pub(crate) use self::rows::{as_line, as_lines};
pub(crate) use self::templates::Templates;
