//! The checklist pass.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Play, Reply, Server, spawn_silently};

use crate::world::{Ran, World, good_server, journal_line, kinds_and_tasks, task};

/// Generates `files` records of tasks without checklists.
fn tasks(world: &World, count: usize) -> String {
    let ran = world.run_at(&good_server(), &["--pass", "plan,readme,files", "--count", &count.to_string()]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    ran.stdout
}

/// An answer of the pass, with this piece of privileged information.
fn answer(key: &str, value: u32, source: &str) -> String {
    let item = |id: &str| json!({"id": id, "description": "d", "visual_evidence": "v"});
    let completion = ["a", "b", "c", "d"].map(|id| {
        let mut item = item(id);
        item["points"] = 25.into();
        item
    });
    let integrity = ["e", "f", "g"].map(item);
    let checklist = json!({
        "task_completion": completion,
        "integrity": integrity,
        "privileged_info_for_vlm": "The balance is 10.",
    });
    let evidence = json!({
        "dataset": null,
        "pi_items": [{"key": key, "metadata_value": value, "verified_value": value, "source": source, "status": "verified"}],
        "privileged_info_summary": "One value.",
    });
    format!("````vlm_checklist.json\n{checklist}\n````\n\n````validated_pi.json\n{evidence}\n````\n")
}

fn good_answer() -> String {
    answer("balance", 10, "task.json#metadata.balance")
}

fn run_on(world: &World, server: &Server, records: &str) -> Ran {
    Ran::of(&mut world.command_at(server, &["--pass", "checklist"]), records)
}

/// A file of the first record on standard output.
fn file(ran: &Ran, name: &str) -> Value {
    let record = &ran.records()[0];
    serde_json::from_str(record["files"][name].as_str().unwrap()).unwrap()
}

#[test]
fn checklists_are_written_without_sight_of_the_verifier() {
    let world = World::new();
    let files = tasks(&world, 2);
    let server = Server::start(|asked| {
        let is_first = asked.prompt.contains("`validated_pi.json` for `settle_account_1`");
        Play::Answer(Reply::new(if is_first { good_answer() } else { "I have none.".to_owned() }))
    });
    let ran = run_on(&world, &server, &files);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let expected = [("files", task(1)), ("files", task(2)), ("failure", task(2))];
    assert_eq!(kinds_and_tasks(&ran), expected.map(|(kind, task)| (kind.to_owned(), task)));
    assert_eq!(file(&ran, "vlm_checklist.json")["task_id"], "settle_account_1@1");
    let evidence = file(&ran, "validated_pi.json");
    assert_eq!(
        (&evidence["pi_items"][0]["status"], &evidence["pi_confidence"]),
        (&json!("verified"), &json!("high"))
    );
    for logged in server.log() {
        assert!(!logged.asked.prompt.contains("def verify_settle"), "the verifier was shown");
        assert!(logged.asked.prompt.contains("   2  echo exporting"), "lines are not numbered");
    }
    assert_eq!(world.manifest("checklists.jsonl").len(), 3);

    // A task that has both files is passed on, without a call.
    let asked = server.log().len();
    let again = run_on(&world, &server, ran.stdout.lines().next().unwrap());
    assert_eq!((again.status, server.log().len()), (Some(0), asked), "{again:?}");
    assert_eq!(again.records()[0]["files"], ran.records()[0]["files"]);
}

#[test]
fn a_contradiction_goes_back_to_the_model_and_then_becomes_a_problem() {
    let world = World::new();
    let files = tasks(&world, 1);
    let server =
        Server::start(|_| Play::Answer(Reply::new(answer("balance", 11, "task.json#metadata.balance"))));
    let ran = run_on(&world, &server, &files);
    assert_eq!((ran.status, server.log().len()), (Some(0), 3), "{ran:?}");
    let second = &server.log()[1].asked.prompt;
    assert!(
        second.contains("validated_pi.json, balance: the metadata has 10, metadata_value is 11"),
        "{second}"
    );
    let evidence = file(&ran, "validated_pi.json");
    assert_eq!(
        (&evidence["pi_items"][0]["status"], &evidence["pi_confidence"]),
        (&json!("contradicted"), &json!("low"))
    );
    let problem = &ran.records()[0]["problems"][0];
    assert_eq!(problem["code"], "pi_contradicted");
    assert_eq!(problem["message"], "balance: the metadata has 10, metadata_value is 11");
}

#[test]
fn an_answer_that_is_not_in_form_is_asked_for_again() {
    let world = World::new();
    let files = tasks(&world, 1);
    let check = |bad: &str, problem: &str| {
        let good = good_answer();
        let bad = bad.to_owned();
        let server = Server::start(move |asked| {
            let is_second = asked.prompt.contains("An earlier answer");
            Play::Answer(Reply::new(if is_second { good.clone() } else { bad.clone() }))
        });
        fs_err::remove_file(world.run_dir().join("answers.jsonl")).unwrap();
        let ran = run_on(&world, &server, &files);
        assert_eq!((ran.status, server.log().len()), (Some(0), 2), "{ran:?}");
        let second = &server.log()[1].asked.prompt;
        assert!(second.contains(problem), "{problem}: {second}");
    };
    let (checklist, evidence) =
        good_answer().split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    check(&evidence, "there was no vlm_checklist.json in it");
    check(&checklist, "there was no validated_pi.json in it");
    check(&good_answer().replace("\"points\":25", "\"points\":20"), "add up to 80; they must add up to 100");
    check(&good_answer().replacen("\"id\":\"a\"", "\"id\":\"b\"", 1), "two items have the id b");
    check(&answer("balance", 10, "the README"), "balance: the source names no file of the task");
    check(&answer("other", 10, "setup_task.sh:2"), "other: the value is not at the named place");
    check(&good_answer().replace("\"pi_items\":[", "\"items\":["), "pi_items is missing or not a list");
    let deep = "[".repeat(100_000);
    check(&format!("````vlm_checklist.json\n{deep}\n````\n"), "vlm_checklist.json is not valid JSON");
    let deep = format!("\"dataset\":{}{}", "[".repeat(900), "]".repeat(900));
    check(&good_answer().replace("\"dataset\":null", &deep), "validated_pi.json is nested too deeply");
}

#[test]
fn a_replay_is_byte_identical() {
    let worlds = [World::new(), World::new()];
    let outputs = worlds.map(|world| {
        let files = tasks(&world, 2);
        world.write(
            "answers-to-replay.jsonl",
            &[1, 2]
                .map(|number| journal_line(&format!("checklist/{}", task(number)), &good_answer()))
                .concat(),
        );
        let model = format!("replay:{}", world.root().join("answers-to-replay.jsonl").display());
        let run = || Ran::of(&mut world.command(&["--pass", "checklist", "--model", &model]), &files);
        let (first, second) = (run(), run());
        assert_eq!((first.status, &first.stdout), (Some(0), &second.stdout), "{first:?}");
        first.records().iter().map(|record| record["files"].to_string()).collect::<Vec<_>>()
    });
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn a_contradicted_task_is_repaired_and_its_statuses_are_computed_again() {
    let world = World::new();
    let server =
        Server::start(|_| Play::Answer(Reply::new(answer("balance", 11, "task.json#metadata.balance"))));
    let ran = run_on(&world, &server, &tasks(&world, 1));
    for (name, content) in ran.records()[0]["files"].as_object().unwrap() {
        world.write_task_file(&task(1), name, content.as_str().unwrap());
    }
    let warning =
        json!({"code": "pi_contradicted", "severity": "warning", "message": "balance: the metadata has 10"});
    let other = json!({"code": "missing_shebang", "severity": "warning", "message": "no shebang"});
    let verdict = json!({
        "record": "verdict", "env": "demo_env", "task": task(1), "kind": "task", "path": "x", "ok": true,
        "issues": [warning, other],
    });
    let repaired = good_answer().split_once("\n\n").unwrap().1.replace("\"verified\"", "\"contradicted\"");
    let server = Server::start(move |_| Play::Answer(Reply::new(repaired.clone())));
    let ran = Ran::of(&mut world.command_at(&server, &["--pass", "repair"]), &format!("{verdict}\n"));
    assert_eq!((ran.status, server.log().len()), (Some(0), 1), "{ran:?}");
    let asked = &server.log()[0].asked.prompt;
    assert!(asked.contains("`pi_contradicted`: balance") && !asked.contains("no shebang"));
    assert_eq!(file(&ran, "validated_pi.json")["pi_items"][0]["status"], "verified");
}

/// Each record without what it cost, which depends on the order of the calls.
fn without_usage(records: &str) -> Vec<String> {
    let without = |line: &str| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        record.as_object_mut().unwrap().remove("usage");
        record.to_string()
    };
    records.lines().map(without).collect()
}

/// The task that a call is about, and whether it is asked again.
fn asked_about(prompt: &str) -> String {
    let number =
        (1..=4).find(|&number| prompt.contains(&format!("`validated_pi.json` for `{}`", task(number))));
    format!("{} {}", task(number.unwrap()), prompt.contains("An earlier answer"))
}

#[test]
fn after_a_kill_no_checklist_is_paid_for_again() {
    // The first answer about each task is rejected, so that a kill comes between two answers about a task, too.
    let reply = |prompt: &str| {
        let is_second = prompt.contains("An earlier answer");
        Reply::new(if is_second { good_answer() } else { "None.".to_owned() })
    };
    let undisturbed = World::new();
    let input = tasks(&undisturbed, 4);
    let server = Server::start(move |asked| Play::Answer(reply(&asked.prompt)));
    let expected = run_on(&undisturbed, &server, &input);
    assert_eq!((expected.status, server.log().len()), (Some(0), 8), "{expected:?}");

    let world = World::new();
    let path = world.write("tasks.jsonl", &input);
    let arguments = ["--pass", "checklist", "--num-workers", "1", "-i", path.to_str().unwrap()];
    let mut given: BTreeMap<String, usize> = BTreeMap::new();
    let mut run = |answers: usize| {
        let server = Server::start(move |asked| match asked.number {
            number if number <= answers => Play::Answer(reply(&asked.prompt)),
            _ => Play::Stall(reply(&asked.prompt), Duration::from_hours(1)),
        });
        let mut child = spawn_silently(&mut world.command_at(&server, &arguments));
        server.wait_for(answers + 1);
        child.kill().unwrap();
        child.wait().unwrap();
        for logged in server.log().iter().filter(|logged| logged.given.is_some()) {
            *given.entry(asked_about(&logged.asked.prompt)).or_default() += 1;
        }
    };
    for answers in [0, 1, 2, 1, 3, 0] {
        run(answers);
    }
    assert_eq!(world.result("answers.jsonl").lines().count(), 7);
    let server = Server::start(move |asked| Play::Answer(reply(&asked.prompt)));
    let ran = world.run_at(&server, &arguments);
    assert_eq!((ran.status, server.log().len()), (Some(0), 1), "{ran:?}");
    assert_eq!(given.values().sum::<usize>(), 7, "{given:?}");
    assert!(given.values().all(|&times| times == 1), "{given:?}");
    assert!(without_usage(&ran.stdout) == without_usage(&expected.stdout), "{ran:?}");
    let manifests = [&world, &undisturbed].map(|world| without_usage(&world.result("checklists.jsonl")));
    assert!(manifests[0] == manifests[1], "{ran:?}");
}
