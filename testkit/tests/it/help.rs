//! `--help` and `-h` of every stage.

use std::process::Command;

use testkit::Ran;

use crate::world::program;

const STAGES: [&str; 6] = [
    "stage-propose",
    "stage-amplify",
    "stage-extract",
    "stage-verify-spec",
    "stage-probe",
    "stage-verify-task",
];

fn help(stage: &str, option: &str) -> String {
    let ran = Ran::of(Command::new(program(stage)).arg(option), "");
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{stage}");
    ran.stdout
}

#[test]
fn help_has_groups_examples_and_exit_statuses() {
    for stage in STAGES {
        let help = help(stage, "--help");
        for part in
            ["\nInput and output:\n", "\nLimits:\n", "\nExamples:\n  stage-", "\nExit status:\n", "141"]
        {
            assert!(help.contains(part), "{stage} lacks {part:?}:\n{help}");
        }
        let (_, options) = help.split_once("\nOptions:\n").unwrap();
        let (options, _) = options.split_once("\nInput and output:\n").unwrap();
        assert_eq!(options.matches("--").count(), 2, "{stage}: options without a group:\n{options}");
    }
}

#[test]
fn short_help_is_short() {
    for stage in STAGES {
        let (short, long) = (help(stage, "-h"), help(stage, "--help"));
        assert!(!short.contains("Examples:") && !short.contains("\nAdvanced:\n"), "{stage}:\n{short}");
        assert!(short.lines().count() * 3 < long.lines().count() * 2, "{stage}:\n{short}");
    }
}
