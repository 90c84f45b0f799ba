//! Images of environments.

use fs_err as fs;
use serde_json::json;

use crate::world::World;

#[test]
fn an_image_is_built_once_for_all_tasks_and_runs() {
    let world = World::new();
    world.task("one", &[]);
    world.task("two", &[]);
    assert_eq!(world.run(&["--once"]).status, Some(0));
    let first = world.run(&["--once"]);
    assert_eq!(world.calls("commit").len(), 1);
    let image = first.records()[0]["image"].as_str().unwrap().to_owned();
    assert!(image.starts_with("verify-task/demo-env:"), "{image}");
    assert_eq!(first.records()[1]["image"], image);
}

#[test]
fn an_image_changes_with_what_it_is_built_from_and_not_with_tasks() {
    let world = World::new();
    world.task("one", &[]);
    let image = || world.trial(&["--once"])["image"].clone();
    let first = image();
    world.write_task_file("one", "notes.txt", "new");
    assert_eq!(image(), first);
    world.write_env_file("scripts/install.sh", "echo other >\"$ROOT/installed\"\n");
    let second = image();
    assert_ne!(second, first);
    world.spec(&json!({ "hooks": { "pre_start": "/workspace/scripts/install.sh" }, "description": "new" }));
    assert_ne!(image(), second);
}

/// A file that needs more memory than the stage has, and one that is longer than what is read.
#[test]
fn large_files_are_hashed_part_by_part_up_to_a_maximum() {
    let world = World::new();
    world.task("one", &[]);
    let data = world.env_dir().join("scripts/data");
    let file = fs::File::create(&data).unwrap();
    file.set_len(1 << 26).unwrap();
    let stage = world.stage(&["--once"]);
    let mut limited = world.command("sh");
    limited
        .args(["-c", "ulimit -d 60000; exec \"$@\"", "sh"])
        .arg(stage.get_program())
        .args(stage.get_args())
        .arg(world.env_dir());
    let ran = testkit::Ran::of(&mut limited, "");
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    file.set_len(1 << 40).unwrap();
    let reason = world.trial(&["--once"])["not_run"].as_str().unwrap().to_owned();
    assert!(reason.contains("the mounts hold more than 64 GiB, with "), "{reason}");
}

#[test]
fn nothing_is_committed_after_a_failed_hook() {
    let world = World::new();
    world.task("one", &[]);
    world.write_env_file("scripts/install.sh", "echo Temporary failure resolving deb.debian.org\nexit 100\n");
    let trial = world.trial(&[]);
    assert_eq!((&trial["ok"], &trial["episodes"]), (&json!(false), &json!([])));
    let reason = trial["not_run"].as_str().unwrap();
    assert!(
        reason.contains("pre_start ended with 100; it needs a network, which --network allows"),
        "{reason}"
    );
    assert_eq!(world.calls("commit").len(), 0);
}

#[test]
fn images_are_listed_and_pruned() {
    let world = World::new();
    world.task("one", &[]);
    assert_eq!(world.run(&["--once"]).status, Some(0));
    let engine = |option: &str| testkit::Ran::of(&mut world.stage(&[option]), "");
    assert!(engine("--list-images").stderr.contains("verify-task_demo-env"));
    let pruned = engine("--prune");
    assert_eq!((pruned.status, pruned.stderr.matches("removed verify-task_demo-env").count()), (Some(0), 1));
    assert!(!engine("--list-images").stderr.contains("verify-task_demo-env"));
}

#[test]
fn a_container_gets_what_the_spec_says_and_no_network() {
    let world = World::new();
    world.task(
        "one",
        &[(
            "setup_task.sh",
            &format!(
                "{}cp \"$ROOT/arguments\" \"$ROOT/tmp/\"\ncat \"$ROOT/arguments\"\n",
                crate::world::SETUP
            ),
        )],
    );
    world.spec(&json!({
        "hooks": { "pre_start": "/workspace/scripts/install.sh" },
        "resources": { "cpu": 1, "mem_gb": 2, "net": true },
        "security": { "cap_drop": ["NET_RAW"], "cap_add": ["SYS_NICE"] },
        "observation": [{ "type": "rgb_screen", "resolution": [1280, 720] }],
    }));
    let trial = world.trial(&["--once", "--network", "bridge"]);
    let runs = world.calls("run");
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs[0].contains("--network bridge") && runs[1].contains("--network none"), "{runs:?}");
    let log = world.read(world.trials("one").join("untouched/setup.log")).replace('\n', " ");
    for part in ["--rm", "--init", "--memory 2048m", "--cpus 1", "--cap-drop NET_RAW", "--cap-add SYS_NICE"] {
        assert!(log.contains(part), "{part}: {log}\n{trial:#}");
    }
    assert!(log.contains(":1 1280 720"), "{log}");
}

#[test]
fn environments_that_a_container_cannot_hold_are_not_run() {
    for (fields, reason) in [
        (json!({ "os_type": "windows" }), "Linux only"),
        (json!({ "security": { "privileged": true } }), "privileged"),
        (json!({ "security": { "use_systemd": true } }), "systemd"),
        (json!({ "mounts": [{ "source": "/etc", "target": "/etc" }] }), "outside the workspace"),
        (json!({ "mounts": [{ "source": "../../..", "target": "/x" }] }), "outside the workspace"),
        (json!({ "mounts": [{ "source": "gone", "target": "/x" }] }), "gone"),
        (json!({ "mounts": 5 }), "expected fields"),
    ] {
        let world = World::new();
        world.task("one", &[]);
        world.spec(&fields);
        let trial = world.trial(&[]);
        assert!(trial["not_run"].as_str().unwrap().contains(reason), "{fields}: {trial:#}");
    }
}
