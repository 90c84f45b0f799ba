//! What gym-anything's `verify spec` says of an environment and its tasks.
