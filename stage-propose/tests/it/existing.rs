//! `--agent existing`.

use fs_err as fs;

use crate::world::{World, check_run};

#[test]
fn the_listed_tasks_are_the_seeds_the_second_list_first() {
    let world = World::new();
    world.add_valid_task("new_task");
    fs::write(world.tasks_dir().join("seed_tasks.json"), r#"["old_task", "gone"]"#).unwrap();
    fs::write(world.env_dir().join("tasks/seed_tasks2.json"), r#"["new_task"]"#).unwrap();
    let output = world.run(&["--agent", "existing"]);
    check_run(&output, 0, &["seed new_task", "seed old_task"]);
    insta::assert_snapshot!(output.stdout.lines().next().unwrap(), @r#"{"record":"seed","env":"demo_env","task":"new_task","dir":"benchmarks/cua_world/environments/demo_env/tasks/new_task","origin":"existing","files":["task.json","verifier.py"]}"#);
    insta::assert_snapshot!(output.stderr, @"stage-propose: existing seeds of demo_env: new_task, old_task");
    assert_eq!(fs::read_to_string(world.run_dir().join("seeds.jsonl")).unwrap(), output.stdout);
}

#[test]
fn seed_count_limits_adoption() {
    let world = World::new();
    world.add_valid_task("new_task");
    fs::write(world.tasks_dir().join("seed_tasks.json"), r#"["old_task", "new_task"]"#).unwrap();
    check_run(&world.run(&["--agent", "existing", "--seed-count", "1"]), 0, &["seed old_task"]);
}

#[test]
fn an_environment_without_tasks_is_reported() {
    let world = World::new();
    fs::remove_dir_all(world.env_dir().join("tasks")).unwrap();
    let output = world.run(&["--agent", "existing"]);
    check_run(&output, 1, &[]);
    insta::assert_snapshot!(output.stderr, @"stage-propose: error: demo_env has no tasks to adopt; remove --agent existing to have an agent write some");
}

#[test]
fn an_invalid_seed_list_is_reported() {
    let world = World::new();
    fs::write(world.tasks_dir().join("seed_tasks.json"), r#"{"seeds": []}"#).unwrap();
    let output = world.run(&["--agent", "existing"]);
    assert_eq!(output.status, Some(2));
    insta::assert_snapshot!(output.stderr);
}
