//! The content of prompts.

use task_spec::readme::{FEWEST_STEPS, SECONDS_PER_STEP, STEPS_PER_ACTION, STEPS_PER_SCREEN};

use crate::world::World;

/// A prompt as it would be sent, from the section with this heading on.
fn prompt(world: &World, pass: &str, from: &str) -> String {
    let text = world.result(&format!("prompts/dry-run/{pass}.md"));
    text[text.find(from).unwrap()..].to_owned()
}

#[test]
fn a_dry_run_writes_the_prompts_and_sends_nothing() {
    let world = World::new();
    let table = world.write("selected_products.csv", "product,category\nBooks,\"['Accounting', 'ERP']\"\n");
    let people = world.write(
        "master_dataset.csv",
        "product,aka,occupation_title,soc_major_group,onet_importance,product_gdp_usd,category_rationale\n\
         Books,,Bookkeeper,Office and Administrative Support,4.2,100,\"Posts, settles\"\n\
         Books,,Auditor,Business and Financial Operations,4.0,300,Reads what others posted\n",
    );
    let tables = format!("{},{}", table.display(), people.display());
    let ran = world.run(&["--dry-run", "--occupations", &tables, "--count", "3"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(ran.stdout, "");
    insta::assert_snapshot!("plan", prompt(&world, "plan", "# Who works"));
    insta::assert_snapshot!("readme", prompt(&world, "readme", "# The environment"));
    insta::assert_snapshot!("files", prompt(&world, "files", "# The environment"));
    assert!(!world.run_dir().join("answers.jsonl").exists());
}

#[test]
fn notes_on_the_environment_are_shown() {
    let world = World::new();
    let notes = world.write("notes.md", "The books close at five.\n");
    let args = ["--dry-run", "--env-notes", notes.to_str().unwrap()];
    assert_eq!(world.run(&args).status, Some(0));
    for pass in ["plan", "readme", "files"] {
        let prompt = world.result(&format!("prompts/dry-run/{pass}.md"));
        assert!(prompt.contains("````notes.md\nThe books close at five.\n````"), "{prompt}");
    }
    let ran = world.run(&["--dry-run", "--env-notes", "missing.md"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("cannot read the notes missing.md"), "{ran:?}");
}

#[test]
fn the_author_of_fixtures_sees_the_functions_that_scripts_call() {
    let world = World::new();
    world.write_env_file("scripts/setup_books.sh", "systemctl start books\n");
    assert_eq!(world.run(&["--dry-run"]).status, Some(0));
    let prompt = world.result("prompts/dry-run/fixtures.md");
    assert!(prompt.contains("````scripts/task_utils.sh\nquery() {"), "{prompt}");
    assert!(!prompt.contains("systemctl start books"), "{prompt}");
}

#[test]
fn sizes_of_sections_are_shown() {
    let world = World::new();
    let ran = world.run(&["--dry-run"]);
    let sections = ["What makes a good task", "The environment `demo_env`", "Answer format"];
    assert!(sections.iter().all(|section| ran.stderr.contains(section)), "{}", ran.stderr);
}

#[test]
fn custom_templates_replace_the_built_in_ones() {
    let world = World::new();
    world.write("mine/readme.md", "Write about {{ software }}.\n");
    let dir = world.path("mine");
    assert_eq!(world.run(&["--dry-run", "--prompts", dir.to_str().unwrap()]).status, Some(0));
    assert!(world.result("prompts/dry-run/readme.md").starts_with("Write about Books.\n\n# Now"));
    world.write("mine/readme.md", "Write about {{ sofware }}.\n");
    let ran = world.run(&["--dry-run", "--prompts", dir.to_str().unwrap()]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("cannot render the prompt readme.md"), "{}", ran.stderr);
}

#[test]
fn an_estimate_needs_a_price_and_no_key() {
    let world = World::new();
    let ran = world.run(&["--estimate", "--count", "10"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("together: 41 calls"), "{}", ran.stderr);
    let ran = world.run(&["--estimate", "--model", "openai:unknown"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
}

#[test]
fn prompts_state_the_contract_of_the_platform() {
    let check = |spec: &str, contains: &[&str], lacks: &[&str]| {
        let world = World::new();
        world.write_env_file("env.json", spec);
        assert_eq!(world.run(&["--dry-run"]).status, Some(0));
        let prompt = world.result("prompts/dry-run/files.md");
        // What follows is the environment's own.
        let (rules, _) = prompt.split_once("# The environment").unwrap();
        for text in contains {
            assert!(rules.contains(text), "{spec}: {text}");
        }
        for text in lacks {
            assert!(!rules.contains(text), "{spec}: {text}");
        }
    };
    check(
        r#"{"id": "a@1", "base": "ubuntu-gnome-systemd_highres"}"#,
        &["`/workspace/tasks/<task>/setup_task.sh`", "/tmp/<task>_result.json", "as root"],
        &["PowerShell", "/sdcard"],
    );
    check(
        r#"{"id": "a@1", "base": "windows-11"}"#,
        &[
            r"C:\\workspace\\tasks\\<task>\\setup_task.ps1",
            r#"RESULT = "C:\\tmp\\<task>_result.json""#,
            "/IT",
        ],
        &["/tmp", "bash -lc", "/var/lib", "/sdcard", "export_result.sh", "DISPLAY"],
    );
    check(
        r#"{"id": "a@1", "base": "android-avd-34"}"#,
        &["`sh /sdcard/tasks/<task>/setup_task.sh`", "/sdcard/<task>_result.json", "#!/system/bin/sh"],
        &["`/tmp/", " /tmp/", "\"/tmp/", "bash -lc", "/var/lib", "C:\\", "#!/bin/bash", "DISPLAY"],
    );
    check(r#"{"id": "a@1", "os_type": "macos"}"#, &["/Users/lume"], &["DISPLAY=", "/sdcard", "PowerShell"]);
}

#[test]
fn prompts_and_notes_agree_on_the_limits_of_a_task() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |name: &str| fs_err::read_to_string(format!("{root}/{name}")).unwrap();
    let effort = read("stage-amplify/prompts/effort.md");
    let notes = read("notes/12-agents-and-budgets.md");
    let formulas: Vec<&str> = effort.lines().filter(|line| line.starts_with("    ")).collect();
    assert_eq!(formulas.len(), 2);
    assert!(formulas.iter().all(|formula| notes.contains(formula)), "{formulas:?}");
    let steps = format!(
        "max_steps = {STEPS_PER_ACTION} × expert_steps + {STEPS_PER_SCREEN} × screens, rounded up to ten, at least \
         {FEWEST_STEPS}"
    );
    let seconds =
        format!("timeout_sec = {SECONDS_PER_STEP} × max_steps + 3 × setup seconds + 2 × computing seconds");
    assert_eq!([formulas[0].trim(), formulas[1].trim()], [steps, seconds]);
}

#[test]
fn a_long_horizon_asks_for_long_tasks() {
    let world = World::new();
    assert_eq!(world.run(&["--dry-run", "--count", "9"]).status, Some(0));
    let usual = world.result("prompts/dry-run/plan.md");
    assert!(usual.contains("Rows by difficulty: 6 very_hard, 3 hard.") && !usual.contains("**long tasks**"));
    assert_eq!(world.run(&["--dry-run", "--horizon", "long", "--difficulty", "hard"]).status, Some(0));
    let long = world.result("prompts/dry-run/plan.md");
    assert!(long.contains("**long tasks**") && long.contains("way | 80 |"), "{long}");
}
