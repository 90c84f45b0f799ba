use fs_err as fs;

use super::evidence::Evidence;
use super::*;

const SEED: Wanted<'_> = Wanted { difficulties: &[], seed: 0, sent: &[] };

/// A folder of environments.
struct Root(tempfile::TempDir);

impl Root {
    fn add_environment(&self, name: &str, spec: &str) {
        fs::create_dir_all(self.path(name).join("tasks")).unwrap();
        fs::write(self.path(name).join("env.json"), spec).unwrap();
    }

    /// Adds a whole task whose verifier contains `line`.
    fn add_task(&self, environment: &str, name: &str, difficulty: &str, line: &str) {
        let task = self.path(environment).join("tasks").join(name);
        fs::create_dir_all(&task).unwrap();
        let hooks = format!(
            r#"{{"pre_task": "/tasks/{name}/setup_task.sh", "post_task": "/tasks/{name}/export_result.sh"}}"#
        );
        let spec = format!(
            r#"{{"description": "d", "difficulty": "{difficulty}", "hooks": {hooks},
                "success": {{"spec": {{"program": "verifier.py::verify"}}}}}}"#
        );
        let verifier = verifier(&format!("{line}\n    return check(traj)"));
        let scripts = ["setup_task.sh", "export_result.sh"].map(|script| (script, "#!/bin/sh\ntrue\n"));
        let files = [("task.json", spec.as_str()), ("verifier.py", &verifier)];
        for (file, text) in files.into_iter().chain(scripts) {
            fs::write(task.join(file), text).unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What is picked for the environment `own_env`.
    fn pick(&self, seeds: &[&str], wanted: Wanted<'_>) -> Vec<Example> {
        let own = Environment::open(&self.path("own_env")).unwrap();
        let seeds: Vec<String> = seeds.iter().map(|&seed| seed.to_owned()).collect();
        pick(&own, &seeds, &own.task_names().unwrap(), Some(self.0.path()), wanted).unwrap().examples
    }
}

fn verifier(body: &str) -> String {
    format!("def verify(traj, env_info, task_info):\n    {body}\n")
}

fn names(examples: &[Example]) -> Vec<&str> {
    examples.iter().map(|example| example.task.as_str()).collect()
}

/// The environment `own_env`, and others, each with one task.
fn environments(others: &[(&str, &str, &str)]) -> Root {
    let root = Root(tempfile::tempdir().unwrap());
    root.add_environment("own_env", r#"{"tags": ["school", "grades"]}"#);
    root.add_task("own_env", "own", "hard", "pass");
    for (name, tags, line) in others {
        root.add_environment(name, &format!(r#"{{"tags": [{tags}]}}"#));
        root.add_task(name, &format!("of_{name}"), "hard", line);
    }
    root
}

#[test]
fn examples_show_every_kind_of_evidence() {
    let root = environments(&[
        ("db_env", r#""school""#, "'SELECT 1'"),
        ("db_two_env", r#""school", "grades""#, "'SELECT 1'"),
        ("file_env", r#""astronomy""#, "csv.reader(f)"),
        ("screen_env", r#""astronomy""#, "query_vlm(prompt)"),
        ("plain_env", r#""school", "grades""#, "pass"),
    ]);
    let picked = root.pick(&["own", "gone"], SEED);
    assert_eq!(picked.len(), 5, "{:?}", names(&picked));
    assert_eq!((picked[0].task.as_str(), picked[0].is_own, picked[1].is_own), ("own", true, false));
    let kinds: BTreeSet<Evidence> = picked.iter().flat_map(|example| example.kinds.clone()).collect();
    assert_eq!(kinds, [Evidence::Database, Evidence::FileContent, Evidence::Screens].into());
    assert!(!names(&picked).contains(&"of_plain_env"));
    assert_eq!(names(&picked), names(&root.pick(&["own", "gone"], SEED)));
}

#[test]
fn hard_tasks_come_first_and_then_the_newest_seeds() {
    let root = environments(&[]);
    for (name, difficulty) in [("a", "hard"), ("b", "very_hard"), ("c", "hard"), ("d", "medium")] {
        root.add_task("own_env", name, difficulty, "pass");
    }
    assert_eq!(names(&root.pick(&["a", "c"], SEED)), ["b", "c", "a", "own"]);
    let medium = ["medium".to_owned()];
    let wanted = Wanted { difficulties: &medium, ..SEED };
    assert_eq!(names(&root.pick(&["a", "c"], wanted)), ["d", "b", "c", "a"]);
}

#[test]
fn a_task_that_leaks_its_answer_comes_last() {
    let root = environments(&[]);
    for name in ["a", "b"] {
        root.add_task("own_env", name, "very_hard", "pass");
    }
    let leaking = "#!/bin/sh\necho 7 > /tmp/ground_truth.json\n";
    fs::write(root.path("own_env/tasks/a/setup_task.sh"), leaking).unwrap();
    assert_eq!(names(&root.pick(&["own"], SEED)), ["b", "own", "a"]);
}

#[test]
fn a_task_that_is_not_whole_is_never_an_example() {
    let root = environments(&[("near_env", r#""school""#, "'SELECT 1'")]);
    let broken = |file: &str, text: &str| {
        root.add_task("own_env", "own", "hard", "pass");
        fs::write(root.path(&format!("own_env/tasks/own/{file}")), text).unwrap();
        let picked = root.pick(&["own"], SEED);
        assert_eq!(names(&picked), ["of_near_env"], "{file}: {text:.80}");
        assert!(!picked[0].is_own);
    };
    broken("verifier.py", &verifier("return {'passed': True, 'score': 100}"));
    broken("verifier.py", &verifier("return {'passed': open('/x').read() == '1'}"));
    broken("verifier.py", &verifier("'''Stub verifier.'''\n    return check(traj)"));
    broken("verifier.py", &verifier("return check(traj"));
    broken("verifier.py", "def other(traj, env_info, task_info):\n    return check(traj)\n");
    broken("verifier.py", &format!("{}#{}", verifier("return check(traj)"), "x".repeat(30_000)));
    broken("export_result.sh", "#!/bin/sh\ncat <<EOF\n{}\n");
    broken("setup_task.sh", "no first line\n");
    broken("task.json", "{");
    broken("task.json", r#"{"success": {"spec": {"program": "verifier.py::verify"}}}"#);
    root.add_task("own_env", "own", "hard", "pass");
    fs::remove_file(root.path("own_env/tasks/own/export_result.sh")).unwrap();
    assert_eq!(names(&root.pick(&["own"], SEED)), ["of_near_env"]);
}

#[test]
fn neighbours_are_on_the_same_platform() {
    let root = environments(&[("linux_env", r#""astronomy""#, "'SELECT 1'")]);
    root.add_environment("android_env", r#"{"base": "android-14", "tags": ["school", "grades"]}"#);
    root.add_task("android_env", "of_android_env", "hard", "'SELECT 1'");
    assert_eq!(names(&root.pick(&[], SEED)), ["own", "of_linux_env"]);
}

#[test]
fn on_android_an_example_has_hooks_that_name_the_shell() {
    let root = Root(tempfile::tempdir().unwrap());
    root.add_environment("own_env", r#"{"base": "android-14"}"#);
    for name in ["bare", "with_shell"] {
        root.add_task("own_env", name, "hard", "pass");
    }
    let spec = root.path("own_env/tasks/with_shell/task.json");
    let text = fs::read_to_string(&spec).unwrap().replace("\"/tasks/", "\"sh /tasks/");
    fs::write(&spec, text).unwrap();
    assert_eq!(names(&root.pick(&[], SEED)), ["with_shell"]);
}

#[test]
fn harder_tasks_of_neighbours_come_before_nearer_ones() {
    let root = environments(&[("near_env", r#""school", "grades""#, "'SELECT 1'")]);
    fs::remove_dir_all(root.path("near_env/tasks/of_near_env")).unwrap();
    root.add_task("near_env", "near_and_easy", "easy", "'SELECT 1'");
    root.add_environment("far_env", r#"{"tags": ["astronomy"]}"#);
    root.add_task("far_env", "far_and_hard", "very_hard", "'SELECT 1'");
    for seed in 0..20 {
        let picked = root.pick(&[], Wanted { seed, ..SEED });
        assert_eq!(names(&picked)[1], "far_and_hard");
    }
}

#[test]
fn yaml_specs_count_like_json_specs() {
    let root = environments(&[]);
    let spec = "description: in YAML\ndifficulty: easy\nhooks: {pre_task: /tasks/own/setup_task.sh, post_task: \
                /tasks/own/export_result.sh}\nsuccess: {spec: {program: 'verifier.py::verify'}}\n";
    fs::write(root.path("own_env/tasks/own/task.yaml"), spec).unwrap();
    let picked = root.pick(&[], SEED);
    assert!(picked[0].readme.ends_with("in YAML"), "{}", picked[0].readme);
    assert_eq!(picked[0].files[0].name, "task.yaml");
}

#[test]
fn the_seed_selects_one_of_several_equal_examples() {
    let others: Vec<String> = (0..6).map(|n| format!("db_{n}_env")).collect();
    let others: Vec<(&str, &str, &str)> =
        others.iter().map(|name| (name.as_str(), r#""school""#, "'SELECT 1'")).collect();
    let root = environments(&others);
    let first = |seed| names(&root.pick(&[], Wanted { seed, ..SEED }))[1].to_owned();
    let picked: BTreeSet<String> = (0..20).map(first).collect();
    assert!(picked.len() > 1, "{picked:?}");
}
