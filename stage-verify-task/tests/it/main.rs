//! Runs tasks with the program itself.
