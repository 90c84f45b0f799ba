//! Tasks and stray writes of an agent.

use fs_err as fs;
use testkit::Ran;

use crate::world::{World, check_run, failures};

const STRAYS: &str = r#"init
write_task good
echo changed >"$ENV/scripts/install.sh"
echo new >"$ENV/scripts/new.sh"
mkdir -p "$ENV/deep/er"; echo new >"$ENV/deep/er/file"
echo '{}' >"$ENV/tasks/old_task/task.json"
echo '["good"]' >"$ENV/tasks/seed_tasks.json"
rm "$ENV/tasks/old_task/verifier.py"
mkdir -p "$ENV/tasks/good/__pycache__" "$ENV/__pycache__"; echo x >"$ENV/__pycache__/x.pyc"
result"#;

#[test]
fn nothing() {
    let world = World::new();
    let output = world.run(&[]);
    check_run(&output, 1, &["failure too_few_seeds"]);
    assert_eq!(failures(&output, "too_few_seeds"), ["0 of 5 requested seeds are valid"]);
    assert!(!world.tasks_dir().join("seed_tasks.json").exists());
}

#[test]
fn invalid_tasks_are_reported_and_not_passed_on() {
    let world = World::new();
    world.script(
        2,
        r#"init; write_task fine
        mkdir -p "$ENV/tasks/Bad-Name" "$ENV/tasks/no_spec" "$ENV/tasks/no_verifier" "$ENV/tasks/torn"
        cp "$ENV"/tasks/fine/* "$ENV/tasks/Bad-Name/"
        echo text >"$ENV/tasks/no_spec/README.md"
        cp "$ENV/tasks/fine/task.json" "$ENV/tasks/no_verifier/"
        echo '{"id": "torn@1", ' >"$ENV/tasks/torn/task.json"
        result"#,
    );
    let output = world.run(&["--seed-count", "5"]);
    let bad = "failure bad_seed";
    check_run(&output, 1, &["seed fine", bad, bad, bad, bad, "failure too_few_seeds"]);
    insta::assert_snapshot!(failures(&output, "bad_seed").join("\n"));
    assert_eq!(world.seeds(), ["fine"]);
}

#[test]
fn a_task_fixed_in_the_last_phase_is_a_seed() {
    let world = World::new();
    world.script(2, r#"init; write_task slow; rm "$ENV/tasks/slow/verifier.py"; result"#);
    world.script(3, "init; write_task slow; result");
    check_run(&world.run(&["--seed-count", "1"]), 0, &["seed slow"]);
    // The prompt listed the problem.
    assert!(world.recorded("argv", 3).contains("- slow: "), "{}", world.recorded("argv", 3));
}

#[test]
fn a_task_broken_in_the_last_phase_is_reported() {
    let world = World::new();
    world.script(2, "init; write_task hasty; result");
    world.script(3, r#"init; echo '{' >"$ENV/tasks/hasty/task.json"; result"#);
    let output = world.run(&["--seed-count", "1"]);
    check_run(&output, 1, &["seed hasty", "failure bad_seed", "failure too_few_seeds"]);
    assert_eq!(world.seeds(), [""; 0]);
}

#[test]
fn each_stray_write_is_reported() {
    let world = World::new();
    world.script(2, STRAYS);
    let output = world.run(&["--seed-count", "1"]);
    insta::assert_snapshot!(failures(&output, "stray_write").join("\n"));
    assert_eq!(output.status, Some(1));
    assert_eq!(fs::read_to_string(world.env_dir().join("scripts/install.sh")).unwrap(), "changed\n");
}

#[test]
fn strict_writes_undo_stray_writes() {
    let world = World::new();
    let spec = fs::read(world.env_dir().join("tasks/old_task/task.json")).unwrap();
    world.script(2, STRAYS);
    world.script(3, r#"init; rm -r "$ENV/scripts"; ln -s /etc "$ENV/scripts"; result"#);
    let output = world.run(&["--seed-count", "1", "--strict-writes"]);
    assert_eq!(output.status, Some(1));
    insta::assert_snapshot!(failures(&output, "stray_write").join("\n"));
    assert_eq!(fs::read_to_string(world.env_dir().join("scripts/install.sh")).unwrap(), "true\n");
    assert_eq!(fs::read(world.env_dir().join("tasks/old_task/task.json")).unwrap(), spec);
    assert!(world.env_dir().join("tasks/old_task/verifier.py").exists());
    assert!(!world.env_dir().join("deep").exists() && !world.env_dir().join("scripts/new.sh").exists());
    assert_eq!(world.seeds(), ["good"]);
    assert!(!world.run_dir().join("before").exists());
}

#[test]
fn all_stray_writes_are_recorded_and_the_first_shown() {
    let world = World::new();
    world.script(2, r#"init; write_task one; i=0; while [ $i -lt 100 ]; do : >"$ENV/stray$i"; i=$((i + 1)); done; result"#);
    let output = world.run(&["--seed-count", "1"]);
    assert_eq!(failures(&output, "stray_write").len(), 100);
    assert_eq!(output.stderr.matches("was written by the agent").count(), 20);
    assert!(output.stderr.contains("80 more stray_write failures; the records list them all"));
}

/// Has the stand-in rework `old_task` by a script.
fn edit(script: &str) -> (World, Ran) {
    let world = World::new();
    fs::write(world.path("feedback.md"), "Nobody does it like this.\n").unwrap();
    world.script(2, &format!("init; {script}; result"));
    let output = world.run(&["--edit-task", "old_task", "--feedback", "feedback.md"]);
    (world, output)
}

#[test]
fn a_reworked_task_is_a_seed() {
    let (world, output) =
        edit(r#"write_task old_task; echo "what changed" >"$ENV/tasks/old_task/README.md""#);
    check_run(&output, 0, &["seed old_task"]);
    let prompt = world.recorded("argv", 2);
    assert!(prompt.contains("<expert_feedback>\nNobody does it like this.\n</expert_feedback>"), "{prompt}");
    assert!(!world.tasks_dir().join("seed_tasks.json").exists(), "nothing else is touched");
    assert!(!world.run_dir().join("seeds.jsonl").exists(), "one reworked task is not all the seeds");
}

#[test]
fn a_reworked_task_is_a_seed_when_its_last_phase_is_run_again() {
    let (world, output) = edit("write_task old_task; exit 1");
    check_run(&output, 1, &["seed old_task", "failure phase_failed"]);
    let args = ["--edit-task", "old_task", "--feedback", "feedback.md", "--start-phase", "3"];
    check_run(&world.run(&args), 0, &["seed old_task"]);
}

#[test]
fn a_reworked_task_keeps_its_id() {
    let (_, output) =
        edit(r#"write_task old_task; sed -i s/old_task@1/old_task@2/ "$ENV/tasks/old_task/task.json""#);
    check_run(&output, 1, &["failure bad_seed"]);
    assert_eq!(
        failures(&output, "bad_seed"),
        ["task old_task is not valid: its id was old_task@1 and must not change"]
    );
}

#[test]
fn a_task_that_was_not_reworked_is_reported() {
    let (_, output) = edit("true");
    check_run(&output, 1, &["failure not_edited"]);
}

#[test]
fn writes_outside_of_the_reworked_task_are_reported() {
    let (_, output) = edit("write_task old_task; write_task another; write_task old_task2");
    let stray = "failure stray_write";
    check_run(&output, 1, &[stray, stray, stray, stray, "seed old_task"]);
}
