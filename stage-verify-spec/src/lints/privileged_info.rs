//! The evidence for the privileged information of a checklist.
//!
//! `validated_pi.json` states values that the agent must find out, and where each was verified. A value that the
//! task's own files contradict makes a wrong verdict likely, whatever status the file states.

use common::text::{escape, shorten};
use task_spec::checklist::{EVIDENCE, Facts, Item, PI_CONTRADICTED, Rule, Status, evidence_faults};
use task_spec::value::Value;

use super::checklist::{not_an_object, of_rule};
use super::{Lint, Subject, Warning};

/// The longest key that a message quotes, in characters.
const MAX_KEY: usize = 80;

pub(super) static SYNTAX: Lint = Lint {
    name: "pi_syntax",
    explanation: "validated_pi.json is not a JSON object",
    check: |subject| not_an_object(EVIDENCE, subject.evidence()),
};

pub(super) static SHAPE: Lint = Lint {
    name: "pi_shape",
    explanation: "an item or a field of validated_pi.json is missing or has another type",
    check: |subject| faults(subject, Rule::Shape),
};

pub(super) static TASK_ID: Lint = Lint {
    name: "pi_task_id",
    explanation: "validated_pi.json is of another task",
    check: |subject| faults(subject, Rule::TaskId),
};

pub(super) static CONTRADICTED: Lint = Lint {
    name: PI_CONTRADICTED,
    explanation: "the metadata, the verifier or a named file contradicts a value of validated_pi.json",
    check: |subject| of_items(subject, contradiction),
};

pub(super) static SOURCE: Lint = Lint {
    name: "pi_source",
    explanation: "a verified value of validated_pi.json has a source that does not exist",
    check: |subject| of_items(subject, missing_source),
};

fn faults(subject: &Subject<'_>, rule: Rule) -> Vec<Warning> {
    let Some(Ok(evidence @ Value::Map(_))) = subject.evidence() else { return Vec::new() };
    of_rule(EVIDENCE, evidence_faults(evidence, subject.name()), rule)
}

fn of_items(
    subject: &Subject<'_>,
    find: fn(&Subject<'_>, &Facts<'_>, &Item<'_>) -> Option<String>,
) -> Vec<Warning> {
    let Some(Ok(evidence)) = subject.evidence() else { return Vec::new() };
    let text = |name: &str| subject.text_anywhere(name);
    let facts = Facts::new(subject.spec(), subject.verifier().map(|verifier| verifier.module), &text);
    let warning = |item: Item<'_>| {
        let message = find(subject, &facts, &item)?;
        let key = shorten(item.key, MAX_KEY);
        Some(Warning::of_file(EVIDENCE, format!("{}: {}", escape(&key), escape(&message))))
    };
    Item::all(evidence).filter_map(warning).collect()
}

fn contradiction(_: &Subject<'_>, facts: &Facts<'_>, item: &Item<'_>) -> Option<String> {
    facts.contradiction(item).map(|found| format!("{}; correct what is wrong", found.reason))
}

fn missing_source(subject: &Subject<'_>, facts: &Facts<'_>, item: &Item<'_>) -> Option<String> {
    if item.stated != Some(Status::Verified.name()) {
        return None;
    }
    let missing = facts.missing_line(item, |name| subject.text(name))?;
    // The place may be in the folder of another task that the source names.
    let mut words = item.source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_elsewhere = words.any(|word| word.contains('_') && subject.is_other_task(word));
    (!is_elsewhere).then_some(missing)
}

#[cfg(test)]
mod tests {
    use super::{CONTRADICTED, SHAPE, SOURCE, SYNTAX, TASK_ID};
    use crate::lints::testing::Task;

    #[test]
    fn evidence() {
        let check = |evidence: &str, expect: &[&str]| {
            let task = Task::new("t")
                .beside("close_case")
                .spec("metadata", r#"{"rows": 12}"#)
                .verifier("def verify_t(traj, env_info, task_info):\n    BOXES = 5\n    return {}\n")
                .file("setup_task.sh", "#!/bin/sh\nROWS=12\n")
                .file("validated_pi.json", evidence);
            let lints = [&SYNTAX, &SHAPE, &TASK_ID, &CONTRADICTED, &SOURCE];
            let found: Vec<_> = lints.into_iter().flat_map(|lint| task.warnings(lint)).collect();
            assert_eq!(found, expect, "{evidence}");
        };
        let item = |item: &str| format!(r#"{{"task_id": "t@1", "pi_items": [{{{item}}}]}}"#);
        check(
            &item(
                r#""key": "rows", "metadata_value": 12, "verified_value": 12, "source": "tasks/t/setup_task.sh:2", "status": "verified""#,
            ),
            &[],
        );
        check(
            &item(
                r#""key": "rows", "metadata_value": 12, "verified_value": 13, "source": "", "status": "unverified""#,
            ),
            &["rows: metadata_value is 12, verified_value is 13; correct what is wrong"],
        );
        check(
            &item(
                r#""key": "boxes", "metadata_value": null, "verified_value": 6, "source": "a", "status": "verified""#,
            ),
            &["boxes: the verifier compares with 5 (line 2), the item says 6; correct what is wrong"],
        );
        check(
            &item(r#""key": "a\u001b", "source": "setup_task.sh:7", "status": "verified""#),
            &["a\\u{1b}: setup_task.sh has 2 lines, the source names line 7"],
        );
        check(&item(r#""key": "a", "source": "setup_task.sh:7", "status": "contradicted""#), &[]);
        check(
            &item(r#""key": "a", "source": "close_case's setup_task.sh line 7", "status": "verified""#),
            &[],
        );
        check(
            &item(r#""key": "a", "source": "s""#).replace("t@1", "u@1"),
            &[
                "pi_items, item 1: status is not verified, contradicted or unverified",
                "task_id is u@1, the task is t",
            ],
        );
        check("[]", &["it contains a list, not an object; see those of other tasks"]);
    }
}
