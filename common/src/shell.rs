//! Shell scripts: whether quotes, heredocs and blocks close.
