//! What one phase asks of an agent.

use std::path::Path;

/// What one phase asks of an agent.
pub(crate) struct Order<'a> {
    pub(crate) prompt: &'a str,
    /// A file that contains the prompt.
    pub(crate) prompt_file: &'a Path,
    pub(crate) session: &'a str,
    /// Whether the session exists already and is to be resumed.
    pub(crate) resume: bool,
    /// The working directory.
    pub(crate) workspace: &'a Path,
    pub(crate) env_dir: &'a Path,
}
