//! A set-up script whose own waits are longer than it is given.
//!
//! gym-anything stops the pre_task hook after `hooks.pre_task_timeout` seconds (600 where nothing is said),
//! and after 180 on Android, and goes on as if it had come to its end.

use memchr::memmem;
use task_spec::value::Value;

use super::subject::Hook;
use super::{Lint, Subject, Warning, script};

/// Seconds that a hook is given where the spec does not say. gym-anything, `specs.py`.
const DEFAULT_SECONDS: f64 = 600.0;

/// Seconds that a hook is given on Android. gym-anything, `env.py`.
const ANDROID_SECONDS: f64 = 180.0;

pub(super) static LINT: Lint = Lint {
    name: "hook_timeout",
    explanation: "the sleeps of the pre_task script may add up to more than its time-out",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    check_hook(subject).into_iter().collect()
}

fn check_hook(subject: &Subject<'_>) -> Option<Warning> {
    let (name, text) = subject.setup_script()?;
    let given = if subject.command(Hook::PreTask)?.contains("/sdcard/") {
        ANDROID_SECONDS
    } else {
        let said = subject.spec()?.get("hooks")?.get("pre_task_timeout");
        said.and_then(Value::as_f64).unwrap_or(DEFAULT_SECONDS)
    };
    // Most scripts wait a few seconds here and there, which can be seen without reading them line by line.
    if !has_counted_loop(text) && seconds_named(text) <= given {
        return None;
    }
    let needed = seconds_asleep(text);
    (needed > given).then(|| {
        let message = format!(
            "its sleeps add up to {needed} seconds where every wait is in vain, and it is stopped after {given}; \
             wait less, or raise hooks.pre_task_timeout"
        );
        Warning::of_file(name, message)
    })
}

/// Whether a script may hold a loop that goes round a known number of times.
fn has_counted_loop(text: &str) -> bool {
    text.contains("{1..") || text.contains("$(seq ")
}

/// The sum of what stands behind each `sleep`, in commands or not: more than a script without counted loops
/// can sleep.
fn seconds_named(text: &str) -> f64 {
    let ends_word = |end: char| end.is_whitespace() || end == ';';
    let seconds = |at: usize| {
        let after = text.get(at + "sleep".len()..)?.trim_start();
        after.split(ends_word).next()?.parse::<f64>().ok()
    };
    memmem::find_iter(text.as_bytes(), "sleep").filter_map(seconds).map(|seconds| seconds.max(0.0)).sum()
}

/// A loop that is open.
struct Loop {
    /// How often it goes round; not at all where that cannot be seen.
    rounds: f64,
    /// Seconds of a round.
    seconds: f64,
}

/// Seconds that a script sleeps if no loop ends early. What is inside conditions and functions is left out.
fn seconds_asleep(text: &str) -> f64 {
    let mut loops = vec![Loop { rounds: 1.0, seconds: 0.0 }];
    let (mut conditions, mut in_function) = (0_usize, false);
    for command in script::lines(text).flat_map(|line| line.text.split(';')) {
        let command = strip_reserved(command.trim(), loops.len() > 1);
        let mut words = command.split_whitespace();
        match words.next().unwrap_or_default() {
            "if" | "case" => conditions += 1,
            "fi" | "esac" => conditions = conditions.saturating_sub(1),
            "for" | "while" | "until" | "select" => {
                loops.push(Loop { rounds: rounds(command).unwrap_or(0.0), seconds: 0.0 });
            }
            "done" if loops.len() > 1 => {
                let seconds = loops.pop().map_or(0.0, |inner| inner.rounds * inner.seconds);
                let is_awaited = !command.ends_with('&') && conditions == 0;
                if let Some(outer) = loops.last_mut().filter(|_| is_awaited) {
                    outer.seconds += seconds;
                }
            }
            "}" => in_function = false,
            "sleep" if conditions == 0 && !in_function && !command.ends_with('&') => {
                let seconds = words.next().and_then(|seconds| seconds.parse().ok());
                if let Some(innermost) = loops.last_mut() {
                    innermost.seconds += seconds.unwrap_or(0.0);
                }
            }
            "function" => in_function = true,
            name if name.ends_with("()") || (command.contains('(') && command.contains("() {")) => {
                in_function = true;
            }
            _ => {}
        }
    }
    // What is still open was not understood.
    if loops.len() == 1 { loops.pop().map_or(0.0, |all| all.seconds) } else { 0.0 }
}

/// A command without the word before it that belongs to a block. A `do` without a loop is part of a text.
fn strip_reserved(command: &str, in_loop: bool) -> &str {
    let reserved = if in_loop { ["do ", "then ", "else "].as_slice() } else { &["then ", "else "] };
    reserved.iter().find_map(|word| command.strip_prefix(word)).unwrap_or(command).trim_start()
}

/// How often `for i in {1..30}` or `for i in $(seq 1 30)` goes round.
fn rounds(command: &str) -> Option<f64> {
    let (_, list) = command.split_once(" in ")?;
    let list = list.trim();
    let inner = list.strip_prefix("{1..").and_then(|list| list.strip_suffix('}'));
    let sequence =
        || list.strip_prefix("$(seq ")?.strip_suffix(')')?.trim().rsplit_once("1 ").map(|(_, last)| last);
    let count = || list.strip_prefix("$(seq ")?.strip_suffix(')');
    inner.or_else(sequence).or_else(count)?.trim().parse().ok()
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
