//! Requests to the model, and repeated requests.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use testkit::{End, Play, Reply, Server};

use crate::world::{
    Call, KEY, Ran, World, call, calls, description, files_answer, good, good_server, kinds_and_tasks,
    number, plan_answer, readme_answer, row, task,
};

#[test]
fn calls_of_a_pass_differ_in_their_last_lines_only() {
    let (world, server) = (World::new(), good_server());
    let ran = world.run_at(&server, &["--count", "8"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for pass in ["readme", "files"] {
        let shared = world.result(&format!("prompts/{pass}.1.md"));
        let prompts: Vec<String> = server.log().iter().map(|logged| logged.asked.prompt.clone()).collect();
        let of_pass = prompts.iter().filter(|prompt| prompt.starts_with(&shared));
        assert_eq!(of_pass.count(), 8, "{pass}");
    }
}

#[test]
fn every_provider_can_be_asked() {
    for (model, base, key) in [
        ("claude-sonnet-4-5", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
        ("openai:some-model", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
        ("gemini-4-argon", "GEMINI_BASE_URL", "GEMINI_API_KEY"),
    ] {
        let (world, server) = (World::new(), good_server());
        let mut command = world.command(&["--count", "3", "--model", model]);
        let ran = Ran::from(command.env(base, server.url()).env(key, KEY).output().unwrap());
        assert_eq!(ran.status, Some(0), "{model}: {ran:?}");
        assert_eq!(ran.records().len(), 3);
        for logged in server.log().iter().filter(|logged| logged.asked.breakpoint.is_some()) {
            let (shared, _) = logged.asked.prompt.rsplit_once("\n# Now\n").unwrap();
            assert_eq!(logged.asked.breakpoint, Some(shared.len()), "{model}");
        }
    }
}

#[test]
fn a_short_plan_is_completed() {
    let world = World::new();
    let server = Server::start(|asked| {
        let Call::Plan(count) = call(asked) else { return Play::Answer(good(asked)) };
        let rows = match count {
            6 => vec![row(1), row(1), row(2), serde_json::json!({"task": "open_period", "activity": "x"})],
            4 => vec![row(2), row(3), row(4), row(5)],
            _ => vec![row(6), row(7)],
        };
        Play::Answer(Reply::new(plan_answer(&rows)))
    });
    let ran = world.run_at(&server, &["--count", "6", "--pass", "plan"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let tasks: Vec<String> = (1..=6).map(task).collect();
    let planned: Vec<String> =
        world.manifest("plan.jsonl").iter().map(|row| row["task"].as_str().unwrap().to_owned()).collect();
    assert_eq!(planned, tasks);
    assert_eq!(calls(&server), [Call::Plan(1), Call::Plan(4), Call::Plan(6)]);
    // The second call names the problems of the first one's rows.
    let second = server.log()[1].asked.prompt.clone();
    assert!(second.contains("- `open_period`: a task of that name exists"), "{second}");
}

#[test]
fn rows_of_a_lopsided_plan_are_replaced() {
    let world = World::new();
    let kinds = [
        "reconcile",
        "reconcile",
        "reconcile",
        "reconcile",
        "reconcile",
        "hand_over",
        "restructure",
        "lookalikes",
    ];
    let server = Server::start(move |asked| {
        let rows = match call(asked) {
            Call::Plan(8) => (1..=8).map(|n| (n, kinds[n - 1])).collect(),
            _ => vec![(9, "find_and_fix")],
        };
        let rows: Vec<Value> = rows
            .into_iter()
            .map(|(n, kind)| {
                let mut row = row(n);
                row["archetype"] = kind.into();
                row
            })
            .collect();
        Play::Answer(Reply::new(plan_answer(&rows)))
    });
    let ran = world.run_at(&server, &["--count", "8", "--pass", "plan"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let names: Vec<String> =
        world.manifest("plan.jsonl").iter().map(|row| row["task"].as_str().unwrap().to_owned()).collect();
    // Of the two rows that were set aside, one was replaced; the model offered no other.
    assert_eq!(names, [1, 2, 3, 6, 7, 8, 9, 4].map(task));
    let second = server.log()[1].asked.prompt.clone();
    assert!(second.contains("- `settle_account_4`: too many rows have the archetype reconcile"), "{second}");
}

#[test]
fn the_rows_of_an_incomplete_plan_are_expanded() {
    let world = World::new();
    let server = Server::start(|asked| match call(asked) {
        Call::Plan(_) => Play::Answer(Reply::new(plan_answer(&[row(1), row(2)]))),
        _ => Play::Answer(good(asked)),
    });
    let ran = world.run_at(&server, &["--count", "4"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let kinds: Vec<String> = kinds_and_tasks(&ran).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["failure", "failure", "files", "files"]);
    assert!(ran.stderr.contains("the plan has 2 of 4 rows"), "{}", ran.stderr);
}

#[test]
fn a_higher_count_adds_rows_and_keeps_the_others() {
    let (world, server) = (World::new(), good_server());
    assert_eq!(world.run_at(&server, &["--count", "3"]).status, Some(0));
    let before = world.result("files.jsonl");
    // As after extraction, with another task written by hand.
    for n in 1..=3 {
        world.write_task(&task(n), &description(n));
    }
    world.write_task("close_year", "Close the year.");
    let ran = world.run_at(&server, &["--count", "5"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(world.result("files.jsonl").starts_with(&before));
    assert_eq!(world.manifest("files.jsonl").len(), 5);
    let asked = calls(&server);
    assert_eq!(asked.len(), (1 + 4 * 3) + (1 + 4 * 2), "{asked:?}");
    assert!(world.result("prompts/plan.4.md").contains("close_year"));
    assert!(!world.result("prompts/readme.1.md").contains("close_year"));
}

#[test]
fn only_an_edited_row_is_requested_again() {
    let (world, server) = (World::new(), good_server());
    assert_eq!(world.run_at(&server, &["--count", "4"]).status, Some(0));
    let plan = world.result("plan.jsonl").replace("\"Settle account 2\"", "\"Settle the second account\"");
    fs_err::write(world.run_dir().join("plan.jsonl"), plan).unwrap();
    let before = server.log().len();
    let ran = world.run_at(&server, &["--count", "4", "--pass", "readme,files"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let again: Vec<Call> = server.log()[before..].iter().map(|logged| call(&logged.asked)).collect();
    // The README is the same as before, so the request for the files is in the journal.
    assert_eq!(again, [Call::Readme(task(2))]);
}

#[test]
fn an_unusable_answer_is_requested_again_with_its_problems() {
    let world = World::new();
    let server = Server::start(|asked| {
        let first = !asked.prompt.contains("could not be used");
        match call(asked) {
            Call::Readme(name) if first && name == task(1) => Play::Answer(Reply::new("I would rather not.")),
            Call::Readme(name) if first && name == task(2) => Play::Answer(good(asked).ending(End::Cut)),
            Call::Files(name) if first && name == task(3) => {
                Play::Answer(Reply::new("Done! All files are written."))
            }
            Call::Checklist(name) if first && name == task(4) => Play::Answer(good(asked).ending(End::Cut)),
            _ => Play::Answer(good(asked)),
        }
    });
    let ran = world.run_at(&server, &["--count", "4"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(world.manifest("files.jsonl").len(), 4);
    assert_eq!(server.log().len(), 1 + 4 * 4 + 4);
}

#[test]
fn answers_that_stay_unusable_become_a_failure() {
    let world = World::new();
    let server = Server::start(|asked| match call(asked) {
        Call::Files(name) if name == task(2) => Play::Answer(Reply::new("No files today.")),
        _ => Play::Answer(good(asked)),
    });
    let ran = world.run_at(&server, &["--count", "3", "--max-candidates", "2"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let expected = [("files", task(1)), ("failure", task(2)), ("files", task(3))];
    assert_eq!(kinds_and_tasks(&ran), expected.map(|(kind, task)| (kind.to_owned(), task)));
    let failure = &world.manifest("files.jsonl")[1];
    assert_eq!((&failure["code"], &failure["attempts"]), (&"unusable_answers".into(), &2.into()));
    // It does not become a seed.
    let seeds = fs_err::read_to_string(world.env_dir().join("tasks/seed_tasks.json")).unwrap();
    assert!(!seeds.contains(&task(2)) && seeds.contains(&task(3)), "{seeds}");
}

#[test]
fn a_copy_of_another_task_is_requested_again() {
    let world = World::new();
    let server = Server::start(|asked| match call(asked) {
        Call::Readme(name)
            if number(&name) == 3 && !asked.prompt.contains("nearly that of settle_account_1") =>
        {
            Play::Answer(Reply::new(readme_answer(&name, &description(1))))
        }
        _ => Play::Answer(good(asked)),
    });
    let ran = world.run_at(&server, &["--count", "4"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let specs = world.manifest("specs.jsonl");
    assert!(specs[2]["readme"].as_str().unwrap().contains(&description(3)));
    let readmes = calls(&server).iter().filter(|call| **call == Call::Readme(task(3))).count();
    assert_eq!(readmes, 2);
}

#[test]
fn a_task_that_stays_a_copy_is_a_failure() {
    let world = World::new();
    let server = Server::start(|asked| match call(asked) {
        Call::Readme(name) => Play::Answer(Reply::new(readme_answer(&name, &description(1)))),
        Call::Files(name) => Play::Answer(Reply::new(files_answer(&name, &description(1)))),
        Call::Plan(_) | Call::Checklist(_) | Call::Fixtures(_) => Play::Answer(good(asked)),
    });
    let ran = world.run_at(&server, &["--count", "2"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_eq!(world.manifest("files.jsonl")[1]["code"], "near_duplicate");
}

#[test]
fn quotas_of_a_profile_are_met() {
    let world = World::new();
    let profile = world.write(
        "profile.json",
        r#"{"demo_env": {"categories": [{"name": "Ledger", "weight": "75%"}, {"name": "Tax", "weight": "25%"}]}}"#,
    );
    let turn = AtomicUsize::new(0);
    let server = Server::start(move |asked| {
        let Call::Plan(count) = call(asked) else { return Play::Answer(good(asked)) };
        let start = turn.fetch_add(count, Ordering::SeqCst) + 1;
        let rows: Vec<Value> = (start..start + count)
            .map(|n| {
                let mut row = row(n);
                row["category"] = (if n % 2 == 0 { "tax" } else { "ledger" }).into();
                row
            })
            .collect();
        Play::Answer(Reply::new(plan_answer(&rows)))
    });
    let ran =
        world.run_at(&server, &["--count", "8", "--pass", "plan", "--profile", profile.to_str().unwrap()]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let rows = world.manifest("plan.jsonl");
    let ledger = rows.iter().filter(|row| row["category"] == "Ledger").count();
    assert_eq!((ledger, rows.len()), (6, 8));
}

#[test]
fn a_readme_below_the_floor_of_its_label_is_requested_again() {
    let (world, server) = (
        World::new(),
        Server::start(|asked| match call(asked) {
            Call::Readme(name) => {
                let steps = if asked.prompt.contains("could not be used") { 44 } else { 12 };
                let readme = format!(
                    "~~~~markdown\n# T (`{name}@1`)\n\n## Description\n{}\n\n## Effort\n`expert_steps: {steps}`\n~~~~\n",
                    description(number(&name))
                );
                Play::Answer(Reply::new(readme))
            }
            _ => Play::Answer(good(asked)),
        }),
    );
    let ran = world.run_at(&server, &["--count", "1", "--pass", "plan,readme"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("expert_steps: 44"), "{ran:?}");
    let asked: Vec<String> = server.log().iter().map(|logged| logged.asked.prompt.clone()).collect();
    let problem = "its expert_steps are 12, and a task that is very_hard has at least 30";
    assert_eq!(asked.iter().filter(|prompt| prompt.contains(problem)).count(), 1);
}
