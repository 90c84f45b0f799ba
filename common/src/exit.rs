//! How a stage ends, as its exit status.

use std::process::ExitCode;

/// The exit status of a stage. A stage that cannot start, or cannot go on (a full disk, say), ends with an
/// error instead, which [`crate::stage::main`] turns into [`ExitStatus::CANNOT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitStatus {
    /// 0: all done.
    Done,
    /// 1: done, but some records failed or some verdict is bad.
    SomeFailed,
    /// 3: stopped early by a limit: cost, failures.
    Limit,
    /// 130: interrupted.
    Interrupted,
    /// 141: the reader of the output has closed it, so the rest was not done. A shell shows this number for a
    /// program that ends by SIGPIPE.
    ReaderGone,
}

impl ExitStatus {
    /// 2: cannot start, or cannot go on: arguments, missing environment, missing key, full disk.
    pub const CANNOT: u8 = 2;

    /// [`ExitStatus::SomeFailed`] if `failed`, else [`ExitStatus::Done`].
    pub fn failed_if(failed: bool) -> Self {
        if failed { Self::SomeFailed } else { Self::Done }
    }

    /// The number a shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::Limit => 3,
            Self::Interrupted => 130,
            Self::ReaderGone => 141,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
