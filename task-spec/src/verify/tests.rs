//! Every rule, by example. The codes of `cases.json` are those of gym-anything itself, but for the cases that
//! end it with a traceback.

use std::collections::BTreeMap;
use std::time::Duration;

use fs_err as fs;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use std::path::Path;

use common::record::Severity;

use super::*;

/// How long a Python may take that is expected to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An environment with a task `t`, the differences from a sound one, and what is to be found.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Put over the environment's spec; what is `null` at the top of it is left out, below it is kept.
    #[serde(default)]
    env: Map<String, Json>,
    /// Put over the task's spec.
    #[serde(default)]
    task: Map<String, Json>,
    /// In place of the task's spec.
    text: Option<String>,
    /// How deeply the metadata is nested.
    nest: Option<usize>,
    /// Put into the task's folder; `null` for what is to be taken away.
    #[serde(default)]
    files: BTreeMap<String, Option<String>>,
    #[serde(default)]
    env_codes: Option<Vec<String>>,
    codes: Vec<String>,
    /// Errors where no Python can be asked.
    without_python: Option<Vec<String>>,
    /// Whether the original ends with a traceback.
    #[serde(default)]
    #[expect(dead_code, reason = "documents what the original does, for readers of the cases")]
    traceback: bool,
}

impl Case {
    fn write(&self, root: &Path) {
        let task = root.join("tasks/t");
        fs::create_dir_all(root.join("scripts")).unwrap();
        fs::create_dir_all(&task).unwrap();
        fs::write(root.join("scripts/install.sh"), "").unwrap();
        let mut env = json!({"id": "demo_env@1", "base": "ubuntu-gnome"});
        merge(&mut env, &self.env);
        fs::write(root.join("env.json"), env.to_string()).unwrap();
        let mut spec = json!({"id": "t@1", "success": {"spec": {"program": "verifier.py::verify_t"}}});
        merge(&mut spec, &self.task);
        let mut text = self.text.clone().unwrap_or_else(|| spec.to_string());
        if let Some(levels) = self.nest {
            text.pop();
            text += &[",\"metadata\":", &"[".repeat(levels), &"]".repeat(levels), "}"].concat();
        }
        fs::write(task.join("task.json"), text).unwrap();
        for name in ["setup_task.sh", "export_result.sh"] {
            fs::write(task.join(name), "").unwrap();
        }
        fs::write(task.join("verifier.py"), "def verify_t(traj, env_info, task_info): return {}\n").unwrap();
        for (name, content) in &self.files {
            let path = task.join(name);
            match content {
                None => fs::remove_file(path).unwrap(),
                Some(content) => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, content).unwrap();
                }
            }
        }
    }
}

fn merge(spec: &mut Json, over: &Map<String, Json>) {
    let spec = spec.as_object_mut().unwrap();
    for (key, value) in over {
        if value.is_null() && (key == "id" || key == "base") {
            spec.shift_remove(key);
        } else {
            spec.insert(key.clone(), value.clone());
        }
    }
}

fn codes(findings: &Findings) -> Vec<&str> {
    let errors = findings.issues.iter().filter(|issue| issue.severity == Severity::Error);
    errors.map(|issue| issue.code.as_str()).collect()
}

fn check_all(interpreter: &Interpreter, expected: impl Fn(&Case) -> &[String]) {
    let cases: Vec<Case> = serde_json::from_str(include_str!("cases.json")).unwrap();
    for case in cases {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("demo_env");
        case.write(&root);
        let environment = check_environment(&root);
        if let Some(expected) = &case.env_codes {
            assert_eq!(codes(&environment.findings), *expected, "{}: {:?}", case.name, environment.findings);
        }
        let specs = task_specs(&root, None);
        let paths: Vec<_> = specs.iter().map(|spec| spec.path.clone()).collect();
        assert_eq!(paths, [root.join("tasks/t/task.json")], "{}", case.name);
        let task = check_task(&specs[0], &environment, interpreter).unwrap();
        assert_eq!(codes(&task.findings), expected(&case), "{}: {:?}", case.name, task.findings);
    }
}

#[test]
fn agrees_with_the_original() {
    let cache = tempfile::tempdir().unwrap();
    let interpreter = Interpreter::open_with("python3", Some(cache.path()), PATIENCE).unwrap();
    check_all(&interpreter, |case| &case.codes);
}

#[test]
fn without_a_python_unknown_modules_are_no_errors() {
    check_all(&Interpreter::none(), |case| case.without_python.as_ref().unwrap_or(&case.codes));
}

#[test]
fn answers_of_a_python_are_kept_until_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let module = dir.path().join("modules");
    fs::create_dir(&module).unwrap();
    let python = dir.path().join("python");
    // Counts how often it is started.
    let script = format!(
        "#!/bin/sh\necho x >>{0}/starts\nPYTHONPATH={1} exec python3 \"$@\"\n",
        dir.path().display(),
        module.display()
    );
    fs::write(&python, script).unwrap();
    fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ask = |name: &str| {
        let interpreter = Interpreter::open_with(python.to_str().unwrap(), Some(&cache), PATIENCE).unwrap();
        interpreter.has(name).unwrap()
    };
    let starts = || fs::read_to_string(dir.path().join("starts")).unwrap().lines().count();
    assert_eq!((ask("brand_new"), starts()), (Some(false), 1));
    assert_eq!((ask("brand_new"), starts()), (Some(false), 1));
    fs::write(module.join("brand_new.py"), "raise SystemExit('imported')").unwrap();
    assert_eq!((ask("brand_new"), starts()), (Some(true), 2));
    assert_eq!((ask("other"), starts()), (Some(false), 3));
    assert_eq!((ask("json"), starts()), (Some(true), 3));
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for _ in 0..2 {
        let interpreter = Interpreter::open_with("python3", Some(&file), PATIENCE).unwrap();
        assert_eq!(interpreter.has("surely_not_there").unwrap(), Some(false));
    }
}

#[test]
fn a_python_that_hangs_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let python = dir.path().join("python");
    let check = |script: &str| {
        fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let limit = Duration::from_millis(50);
        let interpreter = Interpreter::open_with(python.to_str().unwrap(), None, limit);
        let asked = interpreter.and_then(|interpreter| interpreter.has("surely_not_there"));
        let expect = format!(
            "the Python '{}' does not answer: it said nothing for 0.05 seconds and was ended; start it by hand to \
             see why",
            python.display()
        );
        assert_eq!(asked.unwrap_err().to_string(), expect, "{script}");
    };
    check("exec sleep 600");
    check("sleep 5 & wait");
    check("echo '{\"version\": [3, 11], \"standard\": [], \"path\": []}'; exec sleep 600");
}

#[test]
fn a_program_that_is_no_python_is_an_error() {
    let failed =
        |name: &str| Interpreter::open_with(name, None, PATIENCE).map(|_| ()).unwrap_err().to_string();
    assert_eq!(failed("no-such-python"), "cannot start the Python 'no-such-python'");
    assert!(failed("true").contains("does not answer"), "{}", failed("true"));
}
