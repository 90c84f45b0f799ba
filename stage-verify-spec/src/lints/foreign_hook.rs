//! A hook that is written for another platform.
//!
//! gym-anything goes on when a hook fails, so that such a task runs, and every agent scores 0.

use std::sync::LazyLock;

use regex::Regex;
use task_spec::pattern::compile;
use task_spec::platform::Platform;
use task_spec::shell;

use super::subject::Hook;
use super::{Lint, Subject, Warning};

pub(super) static ANDROID: Lint = Lint {
    name: "android_hook",
    explanation: "a hook on Android uses bash, Python or /tmp, which do not exist there",
    check: |subject| check(subject, Platform::Android),
};

pub(super) static WINDOWS: Lint = Lint {
    name: "windows_hook",
    explanation: "a hook on Windows uses paths of Linux",
    check: |subject| check(subject, Platform::Windows),
};

/// A command that Android does not have, or a path below its missing `/tmp`.
static ON_ANDROID: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r#"(?:^|[|;&(]\s*|\b(?:then|do|else|exec|su -c)\s+)(bash|python3?)(?:\s|$)"#,
        r#"|(?:^|[\s"'=<>(])(/tmp/[^\s"')]*)"#,
    ))
});

/// A folder that Linux has and Windows has not.
static ON_WINDOWS: LazyLock<Regex> =
    LazyLock::new(|| compile(r#"(?:^|[\s"'=<>(,])(/(?:tmp|home|workspace|var|usr|opt|etc|mnt)/[^\s"')]*)"#));

#[cfg(test)]
pub(super) static PATTERNS: [&LazyLock<Regex>; 2] = [&ON_ANDROID, &ON_WINDOWS];

fn check(subject: &Subject<'_>, platform: Platform) -> Vec<Warning> {
    if subject.platform() != platform {
        return Vec::new();
    }
    Hook::ALL.into_iter().filter_map(|hook| find(subject, hook, platform)).collect()
}

/// The first place in the script of a hook that its platform does not have.
fn find(subject: &Subject<'_>, hook: Hook, platform: Platform) -> Option<Warning> {
    let script = subject.hook_script(hook)?;
    let text = subject.text(script)?;
    let (name, pattern) = match platform {
        Platform::Android => ("Android", &ON_ANDROID),
        _ => ("Windows", &ON_WINDOWS),
    };
    let (line, what) = shell::lines(text).find_map(|line| {
        let found = pattern.captures(line.text)?;
        let what = found.iter().skip(1).flatten().next()?;
        Some((line.number, what.as_str()))
    })?;
    let message = format!("line {line}: {name} has no {what}; write it for {name}");
    Some(Warning::of_file(script, message))
}

#[cfg(test)]
mod tests {
    use super::{ANDROID, WINDOWS};
    use crate::lints::testing::Task;

    #[test]
    fn on_android() {
        let check = |line: &str, expect: &[&str]| {
            let task = Task::new("t")
                .environment(r#"{"id": "a@1", "base": "android-14"}"#)
                .spec("hooks", r#"{"pre_task": "sh /sdcard/tasks/t/setup_task.sh"}"#)
                .file("setup_task.sh", &format!("#!/bin/bash\n# /tmp/ is missing\n{line}\n"));
            assert_eq!(task.warnings(&ANDROID), expect, "{line}");
            assert_eq!(task.warnings(&WINDOWS).len(), 0);
        };
        check("date > /tmp/start", &["line 3: Android has no /tmp/start; write it for Android"]);
        check("cat x | python3 -c 1", &["line 3: Android has no python3; write it for Android"]);
        check("bash /sdcard/x.sh", &["line 3: Android has no bash; write it for Android"]);
        check("date > /data/local/tmp/start", &[]);
        check("echo 'no bash here'", &[]);
        check("sh /sdcard/python3.sh", &[]);
    }

    #[test]
    fn on_windows() {
        let check = |base: &str, line: &str, expect: usize| {
            let command = r#"{"post_task": "powershell -File C:\\workspace\\tasks\\t\\export_result.ps1"}"#;
            let task = Task::new("t")
                .environment(&format!(r#"{{"id": "a@1", "base": "{base}"}}"#))
                .spec("hooks", command)
                .file("export_result.ps1", &format!("# /tmp/ is missing\n{line}\n"));
            assert_eq!(task.warnings(&WINDOWS).len(), expect, "{line}");
        };
        check("windows-11", "Copy-Item x '/tmp/result.json'", 1);
        check("windows-11", "$dir = \"/workspace/tasks/t\"", 1);
        check("windows-11", "Copy-Item x C:\\tmp\\result.json", 0);
        check("windows-11", "Invoke-WebRequest http://localhost/home/x", 0);
        check("windows-11", "schtasks /Run /TN x", 0);
        check("ubuntu", "Copy-Item x '/tmp/result.json'", 0);
    }
}
