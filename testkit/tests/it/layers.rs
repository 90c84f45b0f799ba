//! The dependency rules of CONTRIBUTING.md: which crate may depend on which, and that only stage-amplify compiles an
//! HTTP client.

use std::process::Command;

use serde_json::Value;

/// Each crate, and the crates of this workspace that it may depend on. Any may use testkit in its tests.
const LAYERS: [(&str, &[&str]); 16] = [
    ("common", &[]),
    ("task-spec", &["common"]),
    ("answer", &["common", "task-spec"]),
    ("ledger", &["common"]),
    ("model-client", &["common", "ledger"]),
    ("sandbox", &["common", "task-spec"]),
    ("stage-propose", &["common", "task-spec"]),
    ("stage-amplify", &["common", "task-spec", "answer", "model-client"]),
    ("stage-extract", &["common", "task-spec", "answer"]),
    ("stage-verify-spec", &["common", "task-spec"]),
    ("stage-probe", &["common", "task-spec", "sandbox"]),
    ("stage-verify-task", &["common", "task-spec", "sandbox"]),
    ("stage-report", &["common", "task-spec"]),
    ("stage-export", &["common", "task-spec", "sandbox"]),
    (
        "manual",
        &[
            "ledger",
            "stage-amplify",
            "stage-export",
            "stage-extract",
            "stage-probe",
            "stage-propose",
            "stage-report",
            "stage-verify-spec",
            "stage-verify-task",
        ],
    ),
    ("testkit", &[]),
];

/// Crates that speak HTTP or TLS.
const NETWORK: [&str; 7] = ["hyper", "native-tls", "openssl", "reqwest", "rustls", "tokio", "ureq"];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn crates_depend_only_on_the_layers_below_them() {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let layer = LAYERS.iter().find(|layer| layer.0 == name);
        let (_, allowed) = layer.unwrap_or_else(|| panic!("add {name} to LAYERS and to CONTRIBUTING.md"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let below = dependency["name"].as_str().unwrap();
            let in_tests = dependency["kind"] == "dev" && below == "testkit";
            let outside = dependency["path"].is_null();
            assert!(outside || in_tests || allowed.contains(&below), "{name} must not depend on {below}");
        }
    }
}

#[test]
fn only_stage_amplify_has_an_http_client() {
    let stages = LAYERS.iter().map(|(name, _)| *name).filter(|name| name.starts_with("stage-"));
    for stage in stages.filter(|stage| *stage != "stage-amplify") {
        let tree = cargo(&["tree", "--package", stage, "--edges", "normal,build", "--prefix", "none"]);
        for name in tree.lines().filter_map(|line| line.split(' ').next()) {
            assert!(!NETWORK.contains(&name), "{stage} compiles {name}");
        }
    }
}
