//! What `--help` of every stage has in common: headings of options, and the end of the text.

/// The heading of files, folders and messages.
pub const INPUT_OUTPUT: &str = "Input and output";
/// The heading of what tasks to create.
pub const MAKE: &str = "What to make";
/// The heading of what to check, in stages that check tasks.
pub const CHECK: &str = "What to check";
/// The heading of the model, or the agent.
pub const MODEL: &str = "The model";
/// The heading of costs, times and numbers at which a stage stops.
pub const LIMITS: &str = "Limits";
/// The heading of options that are rarely needed; `-h` leaves them out.
pub const ADVANCED: &str = "Advanced";

const EXIT_STATUSES: &str = "\
Exit status:
  0    all done
  1    done, but some records failed, or a verdict is bad
  2    cannot start, or cannot go on
  3    stopped by a limit; run the same command again to resume
  130  interrupted; run the same command again to resume
  141  the reader of standard output has closed it; the rest was not done";

/// The end of `-h`.
pub const SHORT_END: &str =
    "--help describes every option, and has examples, environment variables and exit statuses.";

/// The end of `--help`: examples, environment variables and exit statuses. An empty part is left out.
pub fn end(examples: &str, variables: &str) -> String {
    let mut parts = Vec::new();
    if !examples.is_empty() {
        parts.push(format!("Examples:\n{examples}"));
    }
    if !variables.is_empty() {
        parts.push(format!("Environment variables:\n{variables}"));
    }
    parts.push(EXIT_STATUSES.to_owned());
    parts.join("\n\n")
}
