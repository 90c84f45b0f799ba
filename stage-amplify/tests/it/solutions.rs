//! The solution pass, and the repair of tasks that failed in the real software.

use serde_json::{Value, json};
use testkit::{ENV, ENV_DIR, Play, Reply, Server, files_below};

use crate::world::{Ran, World, good_server, kinds_and_tasks, task};

const SOLVE: &str = "#!/bin/bash\nledger --settle\n";
const WRONG: &str = "#!/bin/bash\nledger --settle-other\n";

fn answer(scripts: &[(&str, &str)]) -> String {
    let blocks: Vec<String> =
        scripts.iter().map(|(name, script)| format!("````{name}\n{script}````\n\n")).collect();
    blocks.concat()
}

/// A world with tasks that were generated, and their `files` records.
fn world_with_tasks(count: usize) -> (World, String) {
    let world = World::new();
    let ran = world.run_at(&good_server(), &["--pass", "plan,readme,files", "--count", &count.to_string()]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    (world, ran.stdout)
}

fn run_on(world: &World, server: &Server, records: &str) -> Ran {
    Ran::of(&mut world.command_at(server, &["--pass", "solution"]), records)
}

#[test]
fn solutions_are_written_without_sight_of_the_verifier() {
    let (world, files) = world_with_tasks(2);
    let server = Server::start(|_| {
        Play::Answer(Reply::new(answer(&[("solve.sh", SOLVE), ("wrong-other_account.sh", WRONG)])))
    });
    let ran = run_on(&world, &server, &files);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let records = ran.records();
    assert_eq!(records.len(), 2);
    assert_eq!(
        (&records[0]["record"], &records[0]["task"], &records[0]["script"], &records[0]["wrong"]),
        (
            &json!("solution"),
            &json!(task(1)),
            &json!(SOLVE),
            &json!([{ "name": "other_account", "script": WRONG }])
        )
    );
    assert_eq!(world.manifest("solutions.jsonl").len(), 2);
    let stored = files_below(&world.run_dir().join("solutions"));
    assert_eq!(stored[&format!("{}/solve.sh", task(2))], SOLVE);
    assert_eq!(stored[&format!("{}/wrong-other_account.sh", task(2))], WRONG);
    assert_eq!(stored.len(), 4);
    for logged in server.log() {
        assert!(logged.asked.prompt.contains("echo exporting"), "the export was not shown");
        assert!(!logged.asked.prompt.contains("def verify_settle"), "the verifier was shown");
    }

    // From the journal, without a call.
    let asked = server.log().len();
    assert_eq!(run_on(&world, &server, &files).stdout, ran.stdout);
    assert_eq!(server.log().len(), asked);
}

#[test]
fn seeds_get_solutions_too() {
    let world = World::new();
    let server = Server::start(|_| Play::Answer(Reply::new(answer(&[("solve.sh", SOLVE)]))));
    let seed = |task: &str| {
        let dir = format!("{ENV_DIR}/tasks/{task}");
        json!({ "record": "seed", "env": ENV, "task": task, "dir": dir, "origin": "existing" })
    };
    let ran = run_on(&world, &server, &format!("{}\n{}\n", seed("gone"), seed("open_period")));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let records = kinds_and_tasks(&ran);
    let records: Vec<_> = records.iter().map(|(kind, task)| (kind.as_str(), task.as_str())).collect();
    assert_eq!(records, [("failure", "gone"), ("solution", "open_period")]);
    assert_eq!(files_below(&world.run_dir().join("solutions"))["open_period/solve.sh"], SOLVE);
}

#[test]
fn unusable_scripts_are_asked_for_again() {
    let (world, files) = world_with_tasks(1);
    let bad = answer(&[
        ("solve.sh", "ledger --settle\n"),
        ("wrong-a.sh", "#!/bin/bash\ncat /workspace/tasks/x/verifier.py\n"),
        ("notes.md", "Done.\n"),
    ]);
    let server = Server::start(move |asked| {
        let is_first = !asked.prompt.contains("An earlier answer");
        let text = if is_first { bad.clone() } else { answer(&[("solve.sh", SOLVE)]) };
        Play::Answer(Reply::new(text))
    });
    let ran = run_on(&world, &server, &files);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let second = &server.log()[1].asked.prompt;
    for problem in [
        "solve.sh does not start with #!/bin/bash",
        "wrong-a.sh names verifier.py; a solution does not use the files of the task",
        "notes.md is neither solve.sh nor wrong-<name>.sh",
    ] {
        assert!(second.contains(problem), "{problem}");
    }
    assert_eq!(ran.records()[0]["wrong"], json!([]));
}

fn failed_trial() -> Value {
    json!({
        "record": "trial", "env": ENV, "task": "settle_1", "ok": false,
        "episodes": [{
            "name": "solution", "setup": { "exit": 0 }, "solution": { "exit": 3, "log": "ledger: is locked" },
            "export": { "timed_out": true, "log": "waiting" },
        }],
        "issues": [{ "code": "solution_fails", "severity": "error", "message": "the verifier gave 40 of 100" }],
    })
}

#[test]
fn repair_sees_what_happened_in_the_real_software() {
    let world = World::new();
    world.add_valid_task("settle_1");
    world.write(world.run_dir().join("solutions/settle_1/solve.sh"), SOLVE);
    let server = Server::start(|_| Play::Answer(Reply::new("Nothing.".to_owned())));
    let command = &mut world.command_at(&server, &["--pass", "repair", "--max-candidates", "1"]);
    let not_run = json!({
        "record": "trial", "env": ENV, "task": "other", "ok": false, "not_run": "no engine answers"
    });
    let ran = Ran::of(command, &format!("{}\n{not_run}\n", failed_trial()));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let log = server.log();
    assert_eq!(log.len(), 1);
    for finding in [
        "- `solution_fails`: the verifier gave 40 of 100",
        "- In the episode `solution` the solution ended with 3. The end of its output: ledger: is locked",
        "- In the episode `solution` the export was stopped at its time limit. The end of its output: waiting",
        SOLVE,
    ] {
        assert!(log[0].asked.prompt.contains(finding), "{finding}");
    }
}
