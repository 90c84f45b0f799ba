//! Every stage has a page and completions.

use std::process::Command;

use fs_err as fs;

const STAGES: [&str; 8] = [
    "stage-propose",
    "stage-amplify",
    "stage-extract",
    "stage-verify-spec",
    "stage-probe",
    "stage-verify-task",
    "stage-report",
    "stage-export",
];

#[test]
fn every_stage_has_a_page_and_completions() {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_manual")).arg(dir.path()).status().unwrap();
    assert!(status.success());
    let read = |name: String| fs::read_to_string(dir.path().join(name)).unwrap();
    for stage in STAGES {
        let page = read(format!("man/man1/{stage}.1"));
        for part in [".SH OPTIONS", "Exit status:", "run\\-dir"] {
            assert!(page.contains(part), "the page of {stage} lacks {part}");
        }
        for name in [
            format!("bash-completion/completions/{stage}"),
            format!("zsh/site-functions/_{stage}"),
            format!("fish/vendor_completions.d/{stage}.fish"),
        ] {
            assert!(read(name).contains("run-dir"), "{stage}");
        }
    }
}
