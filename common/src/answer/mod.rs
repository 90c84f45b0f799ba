//! Answers of a model, taken apart into the files of a task.
