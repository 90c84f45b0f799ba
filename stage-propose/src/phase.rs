//! The phases of an agent's work. Each has its own prompt; all are in one session.

/// A phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The agent reads the notes.
    Notes = 1,
    /// It carries out its assignment.
    Write,
    /// It reviews its work: some of it is usually incomplete.
    Nudge,
}

impl Phase {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 3] = [Self::Notes, Self::Write, Self::Nudge];

    /// Its number, from 1.
    pub(crate) fn number(self) -> usize {
        self as usize
    }

    /// Its name in messages and file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Notes => "notes",
            Self::Write => "write",
            Self::Nudge => "nudge",
        }
    }
}
