//! A set-up script whose own waits exceed its timeout.
//!
//! gym-anything stops the pre_task hook after `hooks.pre_task_timeout` seconds (default 600), on Android after
//! 180, and goes on as if the hook had finished.

use memchr::memmem;
use task_spec::shell;
use task_spec::value::Value;

use super::subject::Hook;
use super::{Lint, Subject, Warning};

/// The timeout of a hook in seconds, where the spec sets none. gym-anything, `specs.py`.
const DEFAULT_SECONDS: f64 = 600.0;

/// The timeout of a hook on Android, in seconds. gym-anything, `env.py`.
const ANDROID_SECONDS: f64 = 180.0;

pub(super) static LINT: Lint = Lint {
    name: "hook_timeout",
    explanation: "the sleeps of the pre_task script may add up to more than its timeout",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let (name, text) = subject.setup_script()?;
    let timeout = timeout(subject)?;
    // Most scripts sleep a few seconds here and there. That can be seen without reading them line by line.
    if !has_counted_loop(text) && seconds_named(text) <= timeout {
        return None;
    }
    let needed = seconds_asleep(text);
    if needed <= timeout {
        return None;
    }
    let message = format!(
        "its sleeps add up to {needed} seconds if every wait runs to its end, but it is stopped after {timeout}; \
         wait less, or raise hooks.pre_task_timeout"
    );
    Some(Warning::of_file(name, message))
}

/// The timeout of the pre_task hook, in seconds.
fn timeout(subject: &Subject<'_>) -> Option<f64> {
    if subject.command(Hook::PreTask)?.contains("/sdcard/") {
        return Some(ANDROID_SECONDS);
    }
    let timeout = subject.spec()?.get("hooks")?.get("pre_task_timeout");
    Some(timeout.and_then(Value::as_f64).unwrap_or(DEFAULT_SECONDS))
}

/// Whether a script may contain a loop with a known number of rounds.
fn has_counted_loop(text: &str) -> bool {
    text.contains("{1..") || text.contains("$(seq ")
}

/// The sum of the numbers after each `sleep`, in commands or elsewhere: an upper bound of what a script without
/// counted loops can sleep.
fn seconds_named(text: &str) -> f64 {
    memmem::find_iter(text.as_bytes(), "sleep").filter_map(|at| seconds_after(text, at)).sum()
}

/// The number after the `sleep` at `at`. A negative one counts as 0.
fn seconds_after(text: &str, at: usize) -> Option<f64> {
    let after = text.get(at + "sleep".len()..)?.trim_start();
    let word = after.split(|end: char| end.is_whitespace() || end == ';').next()?;
    Some(word.parse::<f64>().ok()?.max(0.0))
}

/// Seconds that a script sleeps if no loop ends early. What is inside conditions and functions is left out.
fn seconds_asleep(text: &str) -> f64 {
    let mut sleeps = Sleeps::default();
    for line in shell::lines(text) {
        for command in line.text.split(';') {
            sleeps.add(command);
        }
    }
    // A loop that is still open was not understood.
    if sleeps.loops.is_empty() { sleeps.seconds } else { 0.0 }
}

/// Adds up the sleeps of commands.
#[derive(Default)]
struct Sleeps {
    /// Seconds outside of loops.
    seconds: f64,
    /// The loops that are open, the innermost last.
    loops: Vec<Loop>,
    /// The conditions that are open.
    conditions: usize,
    in_function: bool,
}

/// A loop that is open.
struct Loop {
    /// How many rounds it makes; 0 if that is unknown.
    rounds: f64,
    /// Seconds per round.
    seconds: f64,
}

impl Sleeps {
    fn add(&mut self, command: &str) {
        let command = strip_reserved(command.trim(), !self.loops.is_empty());
        let in_background = command.ends_with('&');
        let mut words = command.split_whitespace();
        match words.next().unwrap_or_default() {
            "if" | "case" => self.conditions += 1,
            "fi" | "esac" => self.conditions = self.conditions.saturating_sub(1),
            "for" | "while" | "until" | "select" => {
                self.loops.push(Loop { rounds: rounds(command).unwrap_or(0.0), seconds: 0.0 });
            }
            "done" => self.end_loop(in_background),
            "}" => self.in_function = false,
            "sleep" if self.conditions == 0 && !self.in_function && !in_background => {
                let seconds = words.next().and_then(|seconds| seconds.parse().ok());
                self.sleep(seconds.unwrap_or(0.0));
            }
            "function" => self.in_function = true,
            name if name.ends_with("()") || command.contains("() {") => self.in_function = true,
            _ => {}
        }
    }

    fn end_loop(&mut self, in_background: bool) {
        let Some(ended) = self.loops.pop() else { return };
        if self.conditions == 0 && !in_background {
            self.sleep(ended.rounds * ended.seconds);
        }
    }

    fn sleep(&mut self, seconds: f64) {
        match self.loops.last_mut() {
            Some(innermost) => innermost.seconds += seconds,
            None => self.seconds += seconds,
        }
    }
}

/// A command without the reserved word before it. A `do` outside of a loop is part of a text.
fn strip_reserved(command: &str, in_loop: bool) -> &str {
    let reserved = if in_loop { ["do ", "then ", "else "].as_slice() } else { &["then ", "else "] };
    reserved.iter().find_map(|word| command.strip_prefix(word)).unwrap_or(command).trim_start()
}

/// The number of rounds of `for i in {1..30}`, `for i in $(seq 1 30)` and `for i in $(seq 30)`.
fn rounds(command: &str) -> Option<f64> {
    let (_, list) = command.split_once(" in ")?;
    last_number(list.trim())?.trim().parse().ok()
}

/// `30` in `{1..30}`, `$(seq 1 30)` and `$(seq 30)`.
fn last_number(list: &str) -> Option<&str> {
    if let Some(last) = list.strip_prefix("{1..").and_then(|list| list.strip_suffix('}')) {
        return Some(last);
    }
    let arguments = list.strip_prefix("$(seq ")?.strip_suffix(')')?;
    Some(arguments.trim().rsplit_once("1 ").map_or(arguments, |(_, last)| last))
}

#[cfg(test)]
mod tests {
    use super::{has_counted_loop, seconds_asleep, seconds_named};
    use crate::lints::testing::Task;

    #[test]
    #[expect(clippy::float_cmp, reason = "small whole numbers")]
    fn sleeps() {
        let check = |script: &str, expect: f64| {
            assert_eq!(seconds_asleep(script), expect, "{script}");
            assert!(has_counted_loop(script) || seconds_named(script) >= expect, "{script}");
        };
        check("sleep 5\n  sleep 0.5 # a\n", 5.5);
        check("for i in {1..30}; do\n  sleep 2\ndone\nsleep 1\n", 61.0);
        check("for i in $(seq 1 10); do sleep 3; done", 30.0);
        check("for i in $(seq 10); do sleep 3; done", 30.0);
        check("for i in {1..10}; do\n if ready; then sleep 9; break; fi\n sleep 2\ndone", 20.0);
        check("for i in {1..3}; do for j in {1..3}; do sleep 1; done; done", 9.0);
        check("while ! ready; do sleep 2; done", 0.0);
        check("for i in {1..30}; do sleep 9; done &\n", 0.0);
        check("sleep 100 &\n", 0.0);
        check("wait_for() {\n  sleep 100\n}\nsleep 1", 1.0);
        check("cat > pod.yaml <<EOF\nsleep 3600\nEOF\n", 0.0);
        check("nohup sh -c 'while true; do sleep 5; done' &\nfor i in {1..30}; do sleep 99; done", 2970.0);
    }

    #[test]
    fn hooks() {
        let check = |hooks: &str, expect: usize| {
            let task = Task::new("t").spec("hooks", hooks).file("setup_task.sh", "sleep 200\n");
            assert_eq!(task.warnings(&super::LINT).len(), expect, "{hooks}");
        };
        check(r#"{"pre_task": "/workspace/tasks/t/setup_task.sh"}"#, 0);
        check(r#"{"pre_task": "/workspace/tasks/t/setup_task.sh", "pre_task_timeout": 120}"#, 1);
        check(r#"{"pre_task": "/workspace/tasks/t/setup_task.sh", "pre_task_timeout": 200}"#, 0);
        check(r#"{"pre_task": "sh /sdcard/tasks/t/setup_task.sh", "pre_task_timeout": 1200}"#, 1);
    }
}
