//! The agreement pass.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::faults::Rates;
use testkit::{ENV, Play, Reply, Server, spawn_silently};

use crate::world::{Ran, World, journal_line, kinds_and_tasks};

const DESCRIPTION: &str = "Date the invoice of \"Allagash\" June 28,\nand set its customer to inactive.";

const README: &str = "# Date it (`date_1@1`)\n\n## Description\nDate the invoice of \"Allagash\" June 28,\nand set its customer to \
                      inactive.\n\n## Points\n| criterion | points |\n|---|---:|\n| the date | 60 |\n| the customer is inactive | 40 |\n";

/// The records of `count` tasks, whose documents count a date, a customer, and something else each.
fn tasks(count: usize) -> String {
    let lines: Vec<String> =
        (1..=count).map(|number| record(&task(number), &files()).to_string() + "\n").collect();
    lines.concat()
}

fn task(number: usize) -> String {
    format!("date_{number}")
}

fn record(task: &str, files: &Value) -> Value {
    json!({"record": "files", "env": ENV, "task": task, "index": 1, "files": files, "annotations": {"kept": 1}})
}

fn files() -> Value {
    let item = |id: &str| json!({"id": id, "description": "d", "points": 25, "visual_evidence": "v"});
    let items = ["date", "customer", "saved"].map(item);
    let checklist = json!({"task_completion": items, "integrity": []});
    json!({
        "README.md": README,
        "task.json": json!({"description": DESCRIPTION, "metadata": {"secret": "expected 4711"}}).to_string(),
        "setup_task.sh": "echo setting up\n",
        "vlm_checklist.json": checklist.to_string(),
        "verifier.py": "def verify(result):\n    card.award(60, result[\"date\"] == \"06-28\")\n    card.award(40, not result[\"active\"],\n               essential=True)\n    card.award(10, result[\"memo\"])\n",
        "fixtures.json": "{}",
    })
}

/// The criteria on which the documents agree.
fn agreed() -> [Value; 2] {
    [
        json!({"criterion": "the date", "description": "June 28, and", "readme": "the date", "checklist": ["date"],
            "verifier": "result[\"date\"] == \"06-28\""}),
        json!({"criterion": "the customer", "description": "\"Allagash\"", "readme": "the customer is inactive",
            "checklist": ["customer"], "verifier": "not result[\"active\"], essential=True"}),
    ]
}

/// The criteria on which they do not.
fn disputed() -> [Value; 2] {
    [
        json!({"criterion": "it is saved", "description": null, "readme": null, "checklist": ["saved"], "verifier": null}),
        json!({"criterion": "the memo", "verifier": "card.award(10, result[\"memo\"])"}),
    ]
}

fn answer(criteria: &[Value]) -> String {
    format!("````agreement.json\n{}\n````\n", json!({"criteria": criteria}))
}

fn full_answer() -> String {
    answer(&[agreed(), disputed()].concat())
}

fn run_on(world: &World, server: &Server, arguments: &[&str], records: &str) -> Ran {
    let arguments = [&["--pass", "agreement"], arguments].concat();
    Ran::of(&mut world.command_at(server, &arguments), records)
}

/// Each record without what it cost, which depends on the order of the calls.
fn without_usage(ran: &Ran) -> Vec<Value> {
    let mut records = ran.records();
    for record in &mut records {
        record.as_object_mut().unwrap().remove("usage");
    }
    records
}

#[test]
fn what_a_document_lacks_is_an_issue_and_is_repaired() {
    let world = World::new();
    let server = Server::start(|_| Play::Answer(Reply::new(full_answer())));
    let ran = run_on(&world, &server, &[], &tasks(1));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let record = &ran.records()[0];
    assert_eq!(
        (&record["record"], &record["task"], &record["ok"], &record["annotations"]["kept"]),
        (&json!("agreement"), &json!("date_1"), &json!(false), &json!(1))
    );
    let issues: Vec<String> = record["issues"].as_array().unwrap().iter().map(issue).collect();
    assert_eq!(
        issues,
        [
            "error criterion_not_in_verifier verifier.py: it is saved: it counts, and the verifier does not score it",
            "error criterion_not_in_description task.json: it is saved: it counts, and the description does not ask for it",
            "warning criterion_not_in_readme README.md: it is saved: it counts, and the README does not say so",
            "error criterion_not_in_checklist vlm_checklist.json: the memo: it counts, and no completion item of the checklist looks for it",
            "error criterion_not_in_description task.json: the memo: it counts, and the description does not ask for it",
            "warning criterion_not_in_readme README.md: the memo: it counts, and the README does not say so",
        ]
    );
    assert_eq!(world.manifest("agreements.jsonl").len(), 1);
    assert!(ran.stderr.contains("date_1: the memo: it counts, and the description"), "{}", ran.stderr);
    let prompt = &server.log()[0].asked.prompt;
    for shown in [DESCRIPTION, "| the date | 60 |", "card.award(10,", r#""id":"saved""#] {
        assert!(prompt.contains(shown), "{shown} is not shown");
    }
    for hidden in ["setting up", "4711", "fixtures.json"] {
        assert!(!prompt.contains(hidden), "{hidden} is shown");
    }

    for (name, content) in files().as_object().unwrap() {
        world.write_task_file("date_1", name, content.as_str().unwrap());
    }
    let repairing = Server::start(|_| Play::Answer(Reply::new("Nothing.".to_owned())));
    for input in [ran.stdout.as_str(), ""] {
        let mut command = world.command_at(&repairing, &["--pass", "repair", "--max-candidates", "1"]);
        // Without an input, the manifest of the run directory is read.
        let repaired = if input.is_empty() {
            Ran::from(command.output().unwrap())
        } else {
            Ran::of(&mut command, input)
        };
        assert_eq!(repaired.status, Some(1), "{repaired:?}");
    }
    let log = repairing.log();
    assert_eq!(log.len(), 1, "the second repair is not from the journal");
    let prompt = &log[0].asked.prompt;
    assert!(prompt.contains("- `criterion_not_in_verifier`: it is saved: it counts, and"), "{prompt}");
    assert!(!prompt.contains("criterion_not_in_readme`: the memo"), "a warning is repaired");
}

fn issue(issue: &Value) -> String {
    let [severity, code, path, message] =
        ["severity", "code", "path", "message"].map(|field| issue[field].as_str().unwrap());
    format!("{severity} {code} {path}: {message}")
}

#[test]
fn documents_that_agree_are_ok() {
    let world = World::new();
    let mut criteria = agreed();
    criteria[1]["checklist"] = json!(["customer", "saved"]);
    let server = Server::start(move |_| Play::Answer(Reply::new(answer(&criteria))));
    let ran = run_on(&world, &server, &[], &tasks(1));
    let record = &ran.records()[0];
    assert_eq!(
        (ran.status, &record["ok"], &record["issues"]),
        (Some(0), &json!(true), &json!([])),
        "{ran:?}"
    );
    // A task that agrees is not repaired.
    let repairing = Server::start(|_| Play::Answer(Reply::new("Nothing.".to_owned())));
    let ran = Ran::of(&mut world.command_at(&repairing, &["--pass", "repair"]), &ran.stdout);
    assert_eq!((ran.status, repairing.log().len()), (Some(0), 0), "{ran:?}");
}

#[test]
fn what_the_documents_do_not_bear_out_is_asked_for_again() {
    let world = World::new();
    let check = |bad: &str, problem: &str| {
        let bad = bad.to_owned();
        let server = Server::start(move |asked| {
            let is_second = asked.prompt.contains("An earlier answer");
            Play::Answer(Reply::new(if is_second { full_answer() } else { bad.clone() }))
        });
        drop(fs_err::remove_file(world.run_dir().join("answers.jsonl")));
        let ran = run_on(&world, &server, &[], &tasks(1));
        assert_eq!((ran.status, server.log().len()), (Some(1), 2), "{problem}: {ran:?}");
        let second = &server.log()[1].asked.prompt;
        assert!(second.contains(problem), "{problem}: {second}");
    };
    let replaced = |from: &str, to: &str| {
        let text = full_answer();
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    check("They agree.", "the answer contains no files");
    check(&full_answer().replace("agreement.json", "README.md"), "there was no agreement.json in it");
    check("````agreement.json\n{\"criteria\": 7}\n````\n", "it does not have the requested form");
    check(&answer(&[]), "there are 0 criteria; list 1 to 40");
    check(&answer(&vec![agreed()[0].clone(); 41]), "there are 41 criteria");
    check(
        &replaced("June 28, and", "July 28, and"),
        "the date: description is not a literal quote: July 28, and",
    );
    check(&replaced("June 28, and", "28"), "the date: description is too short");
    check(
        &replaced(r#""readme":"the date""#, r#""readme":"June 28""#),
        "the date: readme is not a literal quote",
    );
    check(&replaced("== \\\"06-28\\\"", "== EXPECTED"), "the date: verifier is not a literal quote");
    check(&replaced(r#"["date"]"#, r#"["dates"]"#), "the date: no completion item has the id dates");
    check(&replaced(r#""criterion":"the date""#, r#""criterion":" ""#), "a criterion has no name");
    check(
        &answer(&[agreed(), [disputed()[1].clone(), json!({"criterion": "x"})]].concat()),
        "x: it counts in no document",
    );
    check(
        &answer(&[agreed()[0].clone(), disputed()[0].clone()]),
        "no criterion names the completion item customer",
    );
    check(
        &replaced(r#""readme":"the customer is inactive""#, r#""readme":null"#),
        "no criterion quotes this row of the README's table of points: the customer is inactive",
    );
    check(&"[".repeat(100_000), "the answer contains no files");
    let deep = format!("````agreement.json\n{}\n````\n", "[".repeat(100_000));
    check(&deep, "it does not have the requested form");
}

#[test]
fn a_task_without_one_of_the_documents_is_left_out() {
    let world = World::new();
    let server = Server::start(|_| Play::Answer(Reply::new(full_answer())));
    let mut records = String::new();
    for missing in ["README.md", "task.json", "vlm_checklist.json", "verifier.py"] {
        let mut files = files();
        files.as_object_mut().unwrap().remove(missing);
        records += &(record("date_1", &files).to_string() + "\n");
    }
    let ran = run_on(&world, &server, &[], &records);
    assert_eq!((ran.status, ran.stdout.as_str(), server.log().len()), (Some(0), "", 0), "{ran:?}");
    assert!(ran.stderr.contains("4 tasks left out"), "{}", ran.stderr);
}

#[test]
fn a_replay_is_byte_identical() {
    let outputs = [World::new(), World::new()].map(|world| {
        let lines: Vec<String> =
            (1..=3).map(|n| journal_line(&format!("agreement/{}", task(n)), &full_answer())).collect();
        let path = world.write("answers-to-replay.jsonl", &lines.concat());
        let model = format!("replay:{}", path.display());
        let run = || Ran::of(&mut world.command(&["--pass", "agreement", "--model", &model]), &tasks(3));
        let (first, second) = (run(), run());
        assert_eq!((first.status, &first.stdout), (Some(1), &second.stdout), "{first:?}");
        assert!(second.stderr.contains("0 answers from the model, 3 from the journal"), "{}", second.stderr);
        assert_eq!(first.stdout, world.result("agreements.jsonl"));
        first.stdout
    });
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn after_a_kill_no_comparison_is_paid_for_again() {
    let undisturbed = World::new();
    let good = || Server::start(|_| Play::Answer(Reply::new(full_answer())));
    let expected = without_usage(&run_on(&undisturbed, &good(), &[], &tasks(4)));
    let world = World::new();
    let input = world.write("tasks.jsonl", &tasks(4));
    let arguments = ["--pass", "agreement", "--num-workers", "1", "-i", input.to_str().unwrap()];
    for killed in 1..=3 {
        let server = Server::start(move |asked| match asked.number {
            1 => Play::Answer(Reply::new(full_answer())),
            _ => Play::Stall(Reply::new(full_answer()), Duration::from_hours(1)),
        });
        let mut child = spawn_silently(&mut world.command_at(&server, &arguments));
        server.wait_for(2);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(world.result("answers.jsonl").lines().count(), killed);
    }
    let server = good();
    let ran = world.run_at(&server, &arguments);
    assert_eq!((ran.status, server.log().len()), (Some(1), 1), "{ran:?}");
    assert_eq!(without_usage(&ran), expected);
}

#[test]
fn on_a_bad_day_every_task_is_compared() {
    let world = World::new();
    let server = Server::start(|asked| {
        Rates::BAD_DAY.strike(asked, Reply::new(full_answer()), Duration::from_millis(20))
    });
    let arguments = ["--num-workers", "16", "--idle-timeout-sec", "1", "--max-candidates", "9"];
    let ran = run_on(&world, &server, &arguments, &tasks(30));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let expected: Vec<_> = (1..=30).map(|n| ("agreement".to_owned(), task(n))).collect();
    assert_eq!(kinds_and_tasks(&ran), expected);
    assert!(ran.records().iter().all(|record| record["issues"].as_array().unwrap().len() == 6));
}
