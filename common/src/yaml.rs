//! YAML as PyYAML's `safe_load` reads it.
