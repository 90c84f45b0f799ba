//! Runs whose answers come from a journal.

use crate::world::{World, good_server, journal, kinds_and_tasks, task};

fn replay(world: &World, count: usize) -> String {
    format!("replay:{}", world.write("journal.jsonl", &journal(count)).display())
}

#[test]
fn all_passes_leave_their_manifests_in_order() {
    let world = World::new();
    let model = replay(&world, 6);
    let ran = world.run(&["--count", "6", "--model", &model, "--num-workers", "3"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let expected: Vec<_> = (1..=6).map(|n| ("files".to_owned(), task(n))).collect();
    assert_eq!(kinds_and_tasks(&ran), expected);
    assert_eq!(ran.stdout, world.result("files.jsonl"));
    for manifest in ["plan.jsonl", "specs.jsonl"] {
        assert_eq!(world.result(manifest).lines().count(), 6);
    }
    let seeds = fs_err::read_to_string(world.env_dir().join("tasks/seed_tasks.json")).unwrap();
    let seeds: Vec<String> = serde_json::from_str(&seeds).unwrap();
    assert_eq!((seeds.len(), seeds[0].as_str(), &seeds[6]), (7, "open_period", &task(6)));
}

#[test]
fn single_passes_give_the_same_result_as_all_at_once() {
    let together = World::new();
    let model = replay(&together, 4);
    assert_eq!(together.run(&["--count", "4", "--model", &model]).status, Some(0));
    let apart = World::new();
    let model = replay(&apart, 4);
    let input = apart.run_dir().join("checklists.jsonl");
    for pass in ["plan", "readme", "files", "checklist", "fixtures", "snapshot"] {
        let mut args = vec!["--count", "4", "--model", &model, "--pass", pass];
        if pass == "fixtures" {
            args.extend(["-i", input.to_str().unwrap()]);
        }
        let ran = apart.run(&args);
        assert_eq!(ran.status, Some(0), "{pass}: {ran:?}");
    }
    assert_eq!(together.result("files.jsonl"), apart.result("fixtures.jsonl"));
    let prompts = ["readme", "files", "checklist", "fixtures"].map(|pass| format!("prompts/{pass}.1.md"));
    let prompts = prompts.iter().map(String::as_str);
    for manifest in ["plan.jsonl", "specs.jsonl"].into_iter().chain(prompts) {
        assert_eq!(together.result(manifest), apart.result(manifest), "{manifest}");
    }
    let seeds =
        |world: &World| fs_err::read_to_string(world.env_dir().join("tasks/seed_tasks.json")).unwrap();
    assert_eq!(seeds(&together), seeds(&apart));
}

#[test]
fn answers_in_the_run_directory_are_not_requested_again() {
    let world = World::new();
    let model = replay(&world, 4);
    let first = world.run(&["--count", "4", "--model", &model]);
    // Tasks of the run itself do not change requests.
    world.write_task(&task(1), "Settle account 1.");
    let second = world.run(&["--count", "4", "--model", &model]);
    assert_eq!(first.stdout, second.stdout);
    assert!(second.stderr.contains(" 0 answers from the model, 16 from the journal"), "{}", second.stderr);
    assert!(!second.stderr.contains("--fresh"), "{}", second.stderr);
}

#[test]
fn a_pass_without_its_input_says_so() {
    for (pass, missing) in
        [("readme", "there is no plan"), ("files", "there are no READMEs"), ("snapshot", "no files records")]
    {
        let world = World::new();
        let ran = world.run(&["--count", "2", "--model", &replay(&world, 2), "--pass", pass]);
        assert_eq!(ran.status, Some(2), "{pass}: {ran:?}");
        assert!(ran.stderr.contains(missing), "{pass}: {ran:?}");
        assert!(!ran.stderr.contains("answers from the model"), "{pass}: {ran:?}");
    }
}

#[test]
fn a_fresh_run_plans_again() {
    let world = World::new();
    let model = replay(&world, 3);
    assert_eq!(world.run(&["--count", "2", "--model", &model]).status, Some(0));
    let ran = world.run(&["--count", "3", "--model", &model, "--fresh"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(world.result("plan.jsonl").lines().count(), 3);
    assert!(!world.run_dir().join("prompts/plan.3.md").exists());
}

#[test]
fn edits_of_the_plan_stay() {
    let world = World::new();
    let model = replay(&world, 4);
    let mine = "{\"record\": \"plan\", \"task\": \"settle_account_4\", \"colour\": \"red\"}\n";
    fs_err::create_dir_all(world.run_dir()).unwrap();
    fs_err::write(world.run_dir().join("plan.jsonl"), mine).unwrap();
    let ran = world.run(&["--count", "4", "--model", &model]);
    // The journal has no answer for the rows from number 2 on.
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(world.result("plan.jsonl").starts_with(mine));
}

#[test]
fn the_journal_of_a_run_that_grew_replays_as_a_whole() {
    let (world, server) = (World::new(), good_server());
    assert_eq!(world.run_at(&server, &["--count", "2"]).status, Some(0));
    assert_eq!(world.run_at(&server, &["--count", "5"]).status, Some(0));
    let again = World::new();
    let model = format!("replay:{}", world.run_dir().join("answers.jsonl").display());
    let ran = again.run(&["--count", "5", "--model", &model]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for manifest in ["plan.jsonl", "specs.jsonl", "files.jsonl"] {
        assert!(again.result(manifest) == world.result(manifest), "{manifest}");
    }
}

#[test]
fn rows_in_the_input_are_the_plan() {
    let world = World::new();
    let model = replay(&world, 3);
    assert_eq!(world.run(&["--count", "2", "--model", &model, "--pass", "plan"]).status, Some(0));
    let rows = world.write("rows.jsonl", "{\"record\":\"plan\",\"task\":\"settle_account_3\"}\n{\"record\":\"plan\",\"task\":\"settle_account_1\"}\n");
    let ran = world.run(&["--count", "2", "--model", &model, "-i", rows.to_str().unwrap()]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(kinds_and_tasks(&ran), [("files".to_owned(), task(3)), ("files".to_owned(), task(1))]);
    assert!(world.result("plan.jsonl").lines().next().unwrap().contains("settle_account_3"));
}

#[test]
fn readmes_in_the_input_get_files() {
    let world = World::new();
    let model = replay(&world, 3);
    assert_eq!(world.run(&["--count", "3", "--model", &model, "--pass", "plan,readme"]).status, Some(0));
    let specs = world.result("specs.jsonl");
    let mut lines: Vec<&str> = specs.lines().take(2).collect();
    lines.insert(1, r#"{"record":"spec","task":"../../etc","readme":"x"}"#);
    lines.insert(1, r#"{"record":"mine"}"#);
    let input = world.write("in.jsonl", &lines.join("\n"));
    let ran = world.run(&["--model", &model, "--pass", "files", "-i", input.to_str().unwrap()]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("is not a valid task name"), "{ran:?}");
    let kinds: Vec<String> = kinds_and_tasks(&ran).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["files", "mine", "files"]);
}
