//! An author of tasks: generated answers to the prompts of stage-amplify, as a good model gives them.
//!
//! Its tasks settle accounts, each with a distinct description. The last lines of a prompt tell which answer is
//! wanted.

#![expect(clippy::unwrap_used, reason = "an unknown prompt fails a test that asks for its purpose")]

use serde_json::{Value, json};

use crate::exchange::{Asked, Reply};

/// Words for distinct descriptions.
const WORDS: [&str; 16] = [
    "ledger", "invoice", "journal", "budget", "tax", "asset", "refund", "report", "branch", "audit",
    "period", "account", "vendor", "export", "balance", "currency",
];

/// The name of the `number`th task.
pub fn task(number: usize) -> String {
    format!("settle_account_{number}")
}

/// A description that differs from that of any other number.
pub fn description(number: usize) -> String {
    let words: Vec<&str> = (0..30).map(|n| WORDS[(number * 7 + n * (number + 3)) % WORDS.len()]).collect();
    format!("Settle account {number}: {}.", words.join(" "))
}

/// A row of the plan.
pub fn row(number: usize) -> Value {
    json!({
        "task": task(number),
        "title": format!("Settle account {number}"),
        "activity": description(number),
        "occupation": "Bookkeeper",
        "features": ["ledger"],
        "archetype": "reconcile",
        "difficulty": "very_hard",
        "difficulty_reason": "Lookalikes: accounts of the same name.",
    })
}

/// The answer to a plan call.
pub fn plan_answer(rows: &[Value]) -> String {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    format!("````jsonl\n{}\n````\n", lines.join("\n"))
}

/// The answer to a call for the README of a task.
pub fn readme_answer(task: &str, description: &str) -> String {
    format!("~~~~markdown\n# Settle (`{task}@1`)\n\n## Description\n{description}\n\n## Data\nBooks.\n~~~~\n")
}

/// The answer to a call for the files of a task in the environment with this id.
pub fn files_answer(env_id: &str, task: &str, description: &str) -> String {
    files(env_id, task, description).map(|(name, text)| format!("````{name}\n{text}````\n")).join("\n")
}

/// The files of a task in the environment with this id, by name.
pub fn files(env_id: &str, task: &str, description: &str) -> [(&'static str, String); 4] {
    let dir = format!("/workspace/tasks/{task}");
    let spec = json!({
        "id": format!("{task}@1"),
        "version": "1.0",
        "env_id": env_id,
        "description": description,
        "difficulty": "very_hard",
        "init": {"timeout_sec": 600, "max_steps": 100, "reward_type": "sparse"},
        "hooks": {"pre_task": format!("{dir}/setup_task.sh"), "post_task": format!("{dir}/export_result.sh")},
        "metadata": {"balance": 10},
        "success": {"mode": "program", "spec": {"program": format!("verifier.py::verify_{task}")}},
    });
    let verifier = VERIFIER.replace("TASK", task);
    [
        ("task.json", format!("{spec:#}\n")),
        ("setup_task.sh", "#!/bin/bash\necho setting up\n".to_owned()),
        ("export_result.sh", "#!/bin/bash\necho exporting\n".to_owned()),
        ("verifier.py", verifier),
    ]
}

/// A verifier that passes the golden state of [`fixtures_answer`] and nothing else.
const VERIFIER: &str = r#"import json
import os
import tempfile


def verify_TASK(traj, env_info, task_info):
    path = os.path.join(tempfile.mkdtemp(), "result.json")
    try:
        env_info["copy_from_env"]("/tmp/TASK_result.json", path)
        with open(path, encoding="utf-8-sig") as file:
            balance = json.load(file)["balance"]
    except Exception:
        balance = None
    passed = balance == task_info["metadata"]["balance"]
    return {"passed": passed, "score": 100 if passed else 0, "feedback": f"balance: {balance}"}
"#;

/// The answer to a call for the fixtures of a task.
pub fn fixtures_answer(task: &str) -> String {
    let result = format!("/tmp/{task}_result.json");
    let fixtures = json!({
        "golden": [{"about": "Settled.", "files": {&result: {"balance": 10}}}],
        "untouched": [{"about": "Nothing was done.", "files": {&result: {"balance": 0}}}],
    });
    format!("````fixtures.json\n{fixtures}\n````\n")
}

/// The answer to a call for the checklist of a task.
pub fn checklist_answer() -> String {
    let item = |id: &str| json!({"id": id, "description": "d", "visual_evidence": "v"});
    let completion = ["ledger", "entry", "period", "report"].map(|id| {
        let mut item = item(id);
        item["points"] = 25.into();
        item
    });
    let integrity = ["interface", "task_files", "forged"].map(item);
    let value = json!({
        "key": "balance", "metadata_value": 10, "verified_value": 10, "source": "task.json#metadata.balance",
    });
    let checklist = json!({
        "task_completion": completion,
        "integrity": integrity,
        "privileged_info_for_vlm": "The balance is 10.",
    });
    let evidence = json!({
        "dataset": null, "case_id": null, "data_is_synthetic": true, "pi_items": [value],
        "privileged_info_summary": "One value of the metadata.",
    });
    format!("````vlm_checklist.json\n{checklist}\n````\n\n````validated_pi.json\n{evidence}\n````\n")
}

/// The purpose of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// This number of rows of the plan.
    Plan(usize),
    /// The README of this task.
    Readme(String),
    /// The files of this task.
    Files(String),
    /// The checklist of this task.
    Checklist(String),
    /// The fixtures of this task.
    Fixtures(String),
}

/// Reads the purpose of a request from its last lines.
pub fn call(asked: &Asked) -> Call {
    purpose(&asked.prompt).unwrap()
}

/// The purpose of a prompt, if it is one of those that this author answers.
fn purpose(prompt: &str) -> Option<Call> {
    let (_, own) = prompt.rsplit_once("\n# Now\n")?;
    if let Some(count) = between(own, "\nWrite ", " new row") {
        return count.parse().ok().map(Call::Plan);
    }
    if let Some(task) = between(own, "Write the files of `", "`") {
        return Some(Call::Files(task.to_owned()));
    }
    if let Some(task) = between(own, "\nWrite `vlm_checklist.json` and `validated_pi.json` for `", "`") {
        return Some(Call::Checklist(task.to_owned()));
    }
    if let Some(task) = between(own, "\nWrite `fixtures.json` for `", "`") {
        return Some(Call::Fixtures(task.to_owned()));
    }
    let row: Value = serde_json::from_str(own.lines().last()?).ok()?;
    Some(Call::Readme(row["task"].as_str()?.to_owned()))
}

/// The part of `text` between `left` and the next `right`.
fn between<'a>(text: &'a str, left: &str, right: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(left)?;
    rest.split_once(right).map(|(found, _)| found)
}

/// The number of a task of [`task`].
pub fn number(task: &str) -> usize {
    task.rsplit('_').next().unwrap().parse().unwrap()
}

/// A good answer to a call. Rows continue the numbering of those in the prompt. Other prompts, such as those of the
/// repair pass, get an answer that says so.
pub fn good(asked: &Asked) -> Reply {
    let Some(call) = purpose(&asked.prompt) else {
        return Reply::new(
            "This author writes plans, READMEs, files, checklists and fixtures of tasks; it cannot answer this prompt.",
        );
    };
    Reply::new(match call {
        Call::Plan(count) => {
            let planned = (1..=1000).find(|&n| !asked.prompt.contains(&format!("\"{}\"", task(n)))).unwrap();
            let rows: Vec<Value> = (planned..planned + count).map(row).collect();
            plan_answer(&rows)
        }
        Call::Readme(task) => readme_answer(&task, &description(number(&task))),
        Call::Checklist(_) => checklist_answer(),
        Call::Fixtures(task) => fixtures_answer(&task),
        Call::Files(task) => files_answer(env_id(&asked.prompt), &task, &description(number(&task))),
    })
}

/// The environment's id in the prompt for files.
fn env_id(prompt: &str) -> &str {
    between(prompt, "`env_id` is `", "`").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::purpose;

    #[test]
    fn prompts_of_other_passes_have_no_purpose_and_do_not_panic() {
        for prompt in ["", "Write fixtures.", "# x\n# Now\n", "\n# Now\nWrite `fixtures.json` of `a`.\n"] {
            assert_eq!(purpose(prompt), None, "{prompt}");
        }
    }
}
