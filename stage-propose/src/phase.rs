//! The phases of an agent's work, each a prompt of its own in one session.

/// A phase. Their numbers start at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The agent reads the notes.
    Notes,
    /// It does what was asked for.
    Write,
    /// It goes over its work once more: whatever it says, some of it is not done.
    Nudge,
}

impl Phase {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 3] = [Self::Notes, Self::Write, Self::Nudge];

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Notes => "notes",
            Self::Write => "write",
            Self::Nudge => "nudge",
        }
    }
}
