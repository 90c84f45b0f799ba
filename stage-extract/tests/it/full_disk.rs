//! What a run leaves on a full disk, and how the next run continues.

use std::path::Path;
use std::process::Command;

use fs_err as fs;
use serde_json::Value;
use testkit::{ENV, files_below};

use crate::world::{World, answer, lines, record};

/// Runs the stage on a disk with room for a few tasks, then on the same disk with more room. The results are copied,
/// since the disk disappears with this shell.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=2m none "$TASKS" && head -c 1800k /dev/zero >"$TASKS/filler" || exit
"$@" 2>first.stderr
echo $? >first.status
rm "$TASKS/filler"
cp -R "$TASKS" first
"$@" 2>second.stderr
echo $? >second.status
cp -R "$TASKS" second
"#;

/// Runs the stage with a file size limit of 32 KiB (64 in some shells), then without a limit.
const SMALL_FILES: &str = r#"
(trap '' XFSZ; ulimit -f 64; exec "$@" 2>first.stderr)
echo $? >first.status
cp -R "$TASKS" first
"$@" 2>second.stderr
echo $? >second.status
cp -R "$TASKS" second
"#;

/// More answers than fit on the small disk, some with files that are too large.
fn many_answers() -> Vec<Value> {
    let padding = "# No room for this.\n".repeat(4000);
    let answers = (0..30).map(|number| {
        let name = format!("task_{number}");
        let answer = answer(&name);
        let answer = if number < 20 {
            answer
        } else {
            answer.replace("#!/bin/bash\n", &format!("#!/bin/bash\n{padding}"))
        };
        record(number + 1, &name, &answer)
    });
    answers.collect()
}

#[test]
fn a_full_disk_leaves_no_partial_folder_and_the_next_run_completes() {
    let disk = tempfile::tempdir().unwrap();
    let mut mount = Command::new("unshare");
    mount.args(["-r", "-m", "mount", "-t", "tmpfs", "none"]).arg(disk.path());
    if !mount.output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no small disk can be mounted here");
        return;
    }
    let mut shell = Command::new("unshare");
    shell.args(["-r", "-m", "sh"]);
    check(shell, SMALL_DISK, "No space left on device");
}

#[test]
fn a_file_that_is_too_large_leaves_no_partial_folder_and_the_next_run_completes() {
    check(Command::new("sh"), SMALL_FILES, "File too large");
}

/// Checks that a run in `shell` without enough room reports the `reason`, and that another run completes it.
#[track_caller]
fn check(mut shell: Command, script: &str, reason: &str) {
    let records = many_answers();
    let undisturbed = World::new();
    assert_eq!(undisturbed.extract(&[], &records).status, Some(0));
    let whole = undisturbed.published();

    let world = World::new();
    fs::create_dir(world.tasks_dir()).unwrap();
    fs::write(world.path("files.jsonl"), lines(&records)).unwrap();
    let stage = world.command(&["--env-dir", ENV, "-i", "files.jsonl", "-o", "/dev/null"]);
    shell.args(["-c", script, "sh"]).arg(stage.get_program()).args(stage.get_args());
    let ran = shell.current_dir(world.root()).env("TASKS", world.tasks_dir()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    let said = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    let stderr = said("first.stderr");
    assert_eq!(said("first.status"), "2\n", "{stderr}");
    assert!(stderr.contains("cannot publish the task task_"), "{stderr}");
    assert!(stderr.contains("run the same command again to resume"), "{stderr}");
    assert!(stderr.contains(reason), "{stderr}");
    let first = world.path("first");
    let is_there = |name: &str| first.join(name).parent().is_some_and(Path::exists);
    let complete = whole.clone().into_iter().filter(|(name, _)| is_there(name)).collect();
    assert_eq!(files_below(&first), complete);
    assert!(complete.len() < whole.len());

    assert_eq!(said("second.status"), "0\n", "{}", said("second.stderr"));
    assert_eq!(files_below(&world.path("second")), whole);
    assert!(!world.path("second/.unfinished").exists());
}
