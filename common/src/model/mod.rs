//! Models: what is asked of them, what they answer, and how each vendor wants it on the wire.
