//! Child processes in a group of their own, ended with every descendant.
