//! JSON as Python's `json` reads it.
