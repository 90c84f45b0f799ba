//! The figures, and what is said of a run that is damaged.

use serde_json::json;
use testkit::ENV;

use crate::world::World;

#[test]
fn steps_of_the_ladder_are_counted() {
    let figures = World::with_run().figures();
    let steps = figures["funnel"].as_array().unwrap().iter();
    let steps: Vec<_> = steps.map(|step| (step["name"].as_str().unwrap(), step["count"].as_u64())).collect();
    let expected = [
        ("asked", Some(4)),
        ("planned", Some(3)),
        ("left out", None),
        ("written", Some(2)),
        ("valid", Some(1)),
        ("probed", None),
        ("run live", None),
        ("shown passable", None),
        ("bad", Some(2)),
    ];
    assert_eq!(steps, expected);
    assert_eq!(figures["tasks"][2]["task"], "lost");
    assert_eq!(figures["tasks"][1]["findings"][0]["line"], 2);
}

#[test]
fn the_summary_names_reasons_and_failed_tasks() {
    let world = World::with_run();
    let ran = world.report(&["--text"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let expected = "\
tasks: 4 asked, 3 planned, 2 written, 1 valid, 2 bad
cost: 2 answers, 2000000 tokens in, 0 out, 50 % cached, $5.50, $5.500 per usable task
parse_error in 1 task: line 2: no value
unusable_answers in 1 task: amplify: no usable answer
bad tasks: bad, lost
all records: task_generation_runs/demo_env
";
    assert_eq!(ran.stdout, expected);
}

#[test]
fn an_empty_run_is_reported_with_what_is_missing() {
    let figures = World::new().figures();
    let problems = figures["runs"][0]["problems"].to_string();
    for missing in ["plan.jsonl", "verdicts.jsonl", "run.json", "answers.jsonl"] {
        assert!(problems.contains(missing), "{problems}");
    }
    assert_eq!(figures["tasks"], json!([]));
}

#[test]
fn damaged_manifests_are_read_as_far_as_they_can_be() {
    let world = World::with_run();
    let torn =
        format!("{}{{\"record\":\"verdict\", \"en", world.read(world.run_dir().join("verdicts.jsonl")));
    world.write(world.run_dir().join("verdicts.jsonl"), &torn);
    world.write(world.run_dir().join("run.json"), "{");
    let figures = world.figures();
    let problems = figures["runs"][0]["problems"].to_string();
    assert!(problems.contains("verdicts.jsonl:4: no valid record"), "{problems}");
    assert!(problems.contains("run.json is not valid JSON"), "{problems}");
    assert_eq!(figures["tasks"].as_array().unwrap().len(), 3);
}

#[test]
fn verdicts_alone_are_a_corpus() {
    let world = World::with_run();
    let verdicts = world.run_dir().join("verdicts.jsonl");
    let ran = world.report(&["--json", verdicts.to_str().unwrap()]);
    let figures: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(figures["environments"][0]["tasks"], 3);
    assert_eq!(figures["tasks"][0]["difficulty"], "hard");
}

#[test]
fn what_a_filter_left_out_is_counted_once() {
    let world = World::with_run();
    let dropped = |task: &str| json!({ "record": "dropped", "env": ENV, "task": task, "of": "files", "stage": "mine", "code": "x" });
    for name in ["tasks", "verdicts"] {
        let path = world.run_dir().join(format!("{name}.jsonl"));
        let records = format!("{}{}\n{}\n", world.read(&path), dropped("left"), dropped("right"));
        world.write(&path, &records);
    }
    let step =
        world.figures()["funnel"].as_array().unwrap().iter().find(|step| step["name"] == "left out").cloned();
    assert_eq!(step.unwrap()["count"], 2);
}

#[test]
fn a_task_whose_documents_disagree_is_bad() {
    let world = World::with_run();
    let issue = json!({
        "code": "criterion_not_in_checklist", "severity": "error", "message": "the date: no item looks for it",
        "path": "vlm_checklist.json",
    });
    let agreement =
        json!({"record": "agreement", "env": ENV, "task": "good", "ok": false, "issues": [issue]});
    world.manifest("agreements", &[agreement]);
    let summary = world.report(&["--text"]).stdout;
    assert!(summary.contains("bad tasks: good, bad, lost"), "{summary}");
    assert!(
        summary.contains("criterion_not_in_checklist in 1 task: the date: no item looks for it"),
        "{summary}"
    );
}

#[test]
fn estimated_steps_are_counted_in_tens() {
    let world = World::with_run();
    let spec = |task: &str, steps: usize| json!({"record": "spec", "env": ENV, "task": task, "index": 1, "readme": format!("`expert_steps: {steps}`")});
    world.manifest("specs", &[spec("good", 42), spec("bad", 47), spec("lost", 60)]);
    assert_eq!(world.figures()["coverage"]["expert_steps"], json!([[40, 2], [60, 1]]));
}

#[test]
fn several_runs_are_one_table_that_says_what_to_run_again() {
    let world = World::with_run();
    let statuses = [("propose", "0"), ("amplify", "3")];
    for (stage, status) in statuses {
        world.write(world.run_dir().join(format!(".{stage}.status")), status);
    }
    world.write(
        world.run_dir().join("logs/fleet/amplify.log"),
        "stage-amplify: 2 answers\nstage-amplify: stopped at $1.00\nmake: x\n",
    );
    let other = world.run_dir().with_file_name("other_env");
    world.write(other.join("files.jsonl.partial"), "");
    let ran = world.report(&["--text", world.run_dir().to_str().unwrap(), other.to_str().unwrap()]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["environment", "done", "asked", "bad", "left", "cost", "state"]);
    assert_eq!(rows[1][..6], ["demo_env", "1", "4", "2", "1", "$5.50"], "{ran:?}");
    assert_eq!(rows[1][6..].join(" "), "amplify stopped by a limit");
    assert_eq!(rows[2].join(" "), "other_env 0 ? 0 ? $0.00 amplify at work, or killed");
    let again = "to run again: demo_env (amplify stopped by a limit: stopped at $1.00)\n";
    assert!(ran.stdout.contains(again), "{}", ran.stdout);
}

/// Adds a task to an environment, and returns its verdict.
fn task_of(world: &World, env: &str, name: &str, description: &str) -> serde_json::Value {
    let dir = format!("benchmarks/cua_world/environments/{env}/tasks/{name}");
    world.write(world.path(&dir).join("task.json"), &json!({ "description": description }).to_string());
    json!({"record": "verdict", "env": env, "task": name, "kind": "task", "dir": dir, "path": dir, "ok": true,
        "issues": []})
}

#[test]
fn nearly_the_same_tasks_of_different_environments_are_named() {
    let world = World::new();
    let text = "Move the shifts of ward three within the contracted hours of each nurse until no two overlap";
    let verdicts = [
        task_of(&world, "clinic_env", "plan_shifts", &format!("{text} in any night.")),
        task_of(
            &world,
            "clinic_env",
            "bill_patient",
            "Bill the patient of room nine for the three days in March.",
        ),
        task_of(&world, "hospital_env", "shifts", &format!("{text} in March.")),
        // Short descriptions that only say alike where to save.
        task_of(
            &world,
            "clinic_env",
            "export",
            "Print the bill and save it to /home/ga/Documents/output.pdf.",
        ),
        task_of(
            &world,
            "hospital_env",
            "scan",
            "Crop the scan and save it to /home/ga/Documents/output.pdf.",
        ),
    ];
    world.manifest("verdicts", &verdicts);
    let file = world.run_dir().join("verdicts.jsonl");
    let figures = world.report(&["--json", file.to_str().unwrap()]);
    let figures: serde_json::Value = serde_json::from_str(&figures.stdout).unwrap();
    let pairs = figures["pairs_across"].as_array().unwrap();
    let names = |pair: &serde_json::Value| {
        ["first", "second"].map(|side| {
            let place = usize::try_from(pair[side].as_u64().unwrap()).unwrap();
            figures["tasks"][place]["task"].as_str().unwrap().to_owned()
        })
    };
    assert_eq!(pairs.iter().map(names).collect::<Vec<_>>(), [["plan_shifts", "shifts"]]);
    assert_eq!(figures["pairs"], json!([]));
    let summary = world.report(&["--text", file.to_str().unwrap()]).stdout;
    let line = "nearly the same in different environments: 1 pair: clinic_env/plan_shifts and hospital_env/shifts (82 %)\n";
    assert!(summary.contains(line), "{summary}");
    let page = world.report(&["-o", "-", file.to_str().unwrap()]).stdout;
    assert!(
        page.contains("82 % alike: <bdi>clinic_env/plan_shifts</bdi> and <bdi>hospital_env/shifts</bdi>")
    );
}

#[test]
fn the_time_left_counts_the_passes_that_were_asked_for() {
    let world = World::with_run();
    let asked =
        json!({"amplify": {"asked": {"count": 40, "passes": ["plan", "readme", "files", "snapshot"]}}});
    world.write(world.run_dir().join("run.json"), &asked.to_string());
    let other = world.run_dir().with_file_name("other_env");
    world.write(other.join("run.json"), &json!({"amplify": {"asked": {"count": 10}}}).to_string());
    let summary = |at: u64| {
        let answer = |task: usize| json!({"label": format!("readme/{task}"), "text": "", "cost": 0.1, "at": at + task as u64});
        world.manifest("answers", &(0..31).map(answer).collect::<Vec<_>>());
        world.report(&["--text", world.run_dir().to_str().unwrap(), other.to_str().unwrap()]).stdout
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // 9 READMEs and 40 files of one run, 10 READMEs of the other, for which no pass is known to be asked.
    let going = summary(now - 60);
    assert!(
        going.contains("about 59 answers to come: 1 minutes at the present pace of 60.0 a minute\n"),
        "{going}"
    );
    let stopped = summary(now - 7230);
    assert!(stopped.contains("about 59 answers to come: none has arrived for 120 minutes\n"), "{stopped}");
}

#[test]
fn answers_of_unknown_price_are_counted() {
    let world = World::with_run();
    let answer =
        |task: &str, cost: Option<f64>| json!({"label": format!("files/{task}"), "text": "", "cost": cost});
    world.manifest("answers", &[answer("good", Some(0.5)), answer("bad", None)]);
    let summary = world.report(&["--text"]).stdout;
    assert!(
        summary.contains("cost: 2 answers, 0 tokens in, 0 out, $0.50 and 1 answer of unknown price\n"),
        "{summary}"
    );
    world.manifest("answers", &[answer("good", None)]);
    let summary = world.report(&["--text"]).stdout;
    assert!(summary.contains("cost: 1 answer, 0 tokens in, 0 out, price unknown\n"), "{summary}");
}
