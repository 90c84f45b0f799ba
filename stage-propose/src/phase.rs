//! The phases of an agent's work, each a prompt of its own in one session.

/// A phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The agent reads the notes.
    Notes = 1,
    /// It does what was asked for.
    Write,
    /// It goes over its work once more: whatever it says, some of it is not done.
    Nudge,
}

impl Phase {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 3] = [Self::Notes, Self::Write, Self::Nudge];

    /// Its number, from 1.
    pub(crate) fn number(self) -> usize {
        self as usize
    }

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Notes => "notes",
            Self::Write => "write",
            Self::Nudge => "nudge",
        }
    }
}
