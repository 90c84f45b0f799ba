//! The notes for authors of tasks: their links lead somewhere, their code is sound, and the task that runs
//! through them as an example is what they say it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use regex::Regex;
use task_spec::checklist::{
    CHECKLIST, EVIDENCE, Facts, Item, Status, checklist_faults, evidence_faults, settle,
};
use task_spec::fixtures::Fixtures;
use task_spec::value::Value;
use task_spec::verify::{self, Interpreter, IssueCode, SpecFile};
use task_spec::{pyjson, python, shell};

const NOTES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../notes");

/// A page of the notes.
struct Page {
    /// Its path below the notes, with `/` between its parts.
    name: String,
    text: String,
}

/// A fenced block of a page.
struct Block {
    /// Where it begins, for messages.
    place: String,
    language: String,
    /// The file of the example that it is, if it is one.
    file: Option<String>,
    content: String,
}

fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for folder in ["", "type/", "platform/"] {
        for entry in fs::read_dir(Path::new(NOTES).join(folder)).unwrap() {
            let name = format!("{folder}{}", entry.unwrap().file_name().into_string().unwrap());
            let path = Path::new(NOTES).join(&name);
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(Page { name, text: fs::read_to_string(path).unwrap() });
            }
        }
    }
    pages.sort_by(|a, b| a.name.cmp(&b.name));
    pages
}

impl Page {
    fn blocks(&self) -> Vec<Block> {
        let fence = Regex::new(r"(?ms)^```(\w+)(?: (\S+))?\n(.*?)^```$").unwrap();
        let blocks = fence.captures_iter(&self.text).map(|found| Block {
            place: format!(
                "{}, the block after {:?}",
                self.name,
                self.line_before(found.get(0).unwrap().start())
            ),
            language: found[1].to_owned(),
            file: found.get(2).map(|file| file.as_str().to_owned()),
            content: found[3].to_owned(),
        });
        blocks.collect()
    }

    fn line_before(&self, offset: usize) -> &str {
        self.text[..offset].lines().rfind(|line| !line.is_empty()).unwrap_or_default()
    }

    /// The text outside fenced blocks.
    fn prose(&self) -> String {
        Regex::new(r"(?ms)^```.*?^```$").unwrap().replace_all(&self.text, "").into_owned()
    }

    /// What a link can name after `#`: headings as GitHub spells them.
    fn anchors(&self) -> BTreeSet<String> {
        let prose = self.prose();
        let headings =
            prose.lines().filter_map(|line| Some(line.trim_start_matches('#')).filter(|rest| *rest != line));
        let spell = |heading: &str| {
            let kept = heading.trim().to_lowercase().replace(' ', "-");
            kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
        };
        headings.map(spell).collect()
    }
}

#[test]
fn the_index_names_every_page_and_the_numbers_have_no_gap() {
    let pages = pages();
    let index = &pages.iter().find(|page| page.name == "README.md").unwrap().text;
    for page in pages.iter().filter(|page| page.name != "README.md") {
        assert!(index.contains(&format!("({})", page.name)), "notes/README.md does not link {}", page.name);
    }
    let numbered = pages.iter().filter(|page| page.name.starts_with(|c: char| c.is_ascii_digit()));
    for (page, number) in numbered.zip(1..) {
        assert!(page.name.starts_with(&format!("{number:02}-")), "{} is not page {number}", page.name);
        assert!(
            page.text.starts_with(&format!("# {number:02} ")),
            "the title of {} has another number",
            page.name
        );
    }
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    for page in &pages {
        for found in link.captures_iter(&page.prose()) {
            let (path, anchor) = found[1].split_once('#').unwrap_or((&found[1], ""));
            let target = resolve(&page.name, path);
            let Some(target) = pages.iter().find(|page| page.name == target) else {
                panic!("{}: no page {target}, which is linked as {}", page.name, &found[1]);
            };
            assert!(
                anchor.is_empty() || target.anchors().contains(anchor),
                "{}: {} has no heading #{anchor}, only {:?}",
                page.name,
                target.name,
                target.anchors()
            );
        }
    }
}

/// The page that `link` means on the page `from`.
fn resolve(from: &str, link: &str) -> String {
    if link.is_empty() {
        return from.to_owned();
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn stages_that_are_named_exist() {
    let stage = Regex::new(r"`(stage-[a-z]+(?:-[a-z]+)*)").unwrap();
    for page in pages() {
        for found in stage.captures_iter(&page.text) {
            let manifest = Path::new(NOTES).join("..").join(&found[1]).join("Cargo.toml");
            assert!(manifest.is_file(), "{}: there is no {}", page.name, &found[1]);
        }
    }
}

#[test]
fn code_parses() {
    for block in pages().iter().flat_map(Page::blocks) {
        let Block { place, content, .. } = &block;
        match block.language.as_str() {
            "python" => {
                python::parse(content.as_bytes()).unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            "json" => {
                let value: Result<serde_json::Value, _> = serde_json::from_str(content);
                value.unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            "sh" => shell::check(content).unwrap_or_else(|error| panic!("{place}: {error}")),
            "csv" | "text" | "powershell" => {}
            other => panic!("{place}: nothing checks {other}"),
        }
    }
}

/// Writes the example task below `dir`, as a reader would who copies each block into the file that it names.
fn write_example(dir: &Path) -> PathBuf {
    let task = dir.join("prepare_storage_inspection");
    for block in pages().iter().flat_map(Page::blocks) {
        let Some(file) = block.file else { continue };
        let path = task.join(file);
        assert!(!path.exists(), "{}: a second {}", block.place, path.display());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, block.content).unwrap();
    }
    run_python(&task, "make_fixtures.py");
    fs::remove_file(task.join("make_fixtures.py")).unwrap();
    task
}

/// The environment that the example is written for, as far as a check needs it.
const LABSTOCK: &str = r#"{
    "id": "labstock_env@0.1",
    "base": "ubuntu-gnome-systemd_highres",
    "mounts": [{"source": "tasks", "target": "/workspace/tasks", "mode": "ro"}]
}"#;

#[test]
fn the_example_passes_every_check_of_its_spec() {
    let root = tempfile::tempdir().unwrap();
    let task = write_example(&root.path().join("tasks"));
    fs::write(root.path().join("env.json"), LABSTOCK).unwrap();

    let environment = verify::check_environment(root.path());
    let spec = SpecFile::at(task.join("task.json"));
    let checked = verify::check_task(&spec, &environment, &Interpreter::none()).unwrap();
    assert!(environment.findings.issues.is_empty(), "{:?}", environment.findings.issues);
    assert!(checked.findings.issues.is_empty(), "{:?}", checked.findings.issues);
}

#[test]
fn issues_that_are_named_exist() {
    let known = [IssueCode::ParseError, IssueCode::ValidationError, IssueCode::InvalidProgramVerifier]
        .map(IssueCode::as_str);
    let code = Regex::new(r"`([a-z]+(?:_[a-z]+)*_(?:error|verifier|reference))`").unwrap();
    for page in pages() {
        for found in code.captures_iter(&page.prose()) {
            assert!(known.contains(&&found[1]), "{}: no check has an issue {}", page.name, &found[1]);
        }
    }
}

fn run_python(dir: &Path, script: &str) -> String {
    let output = Command::new("python3").arg(script).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_example_is_judged_as_its_fixtures_say() {
    let dir = tempfile::tempdir().unwrap();
    let task = write_example(dir.path());

    let fixtures: Fixtures = serde_json::from_slice(&fs::read(task.join("fixtures.json")).unwrap()).unwrap();
    for kind in [&fixtures.golden, &fixtures.partial, &fixtures.wrong_target, &fixtures.untouched] {
        assert!(!kind.is_empty(), "a list of the example's fixtures is empty");
    }

    let pages = pages();
    let harness = pages.iter().flat_map(Page::blocks).find(|block| block.content.contains("import verifier"));
    fs::write(task.join("harness.py"), harness.unwrap().content).unwrap();
    let verdicts = run_python(&task, "harness.py");
    let verdicts: Vec<&str> = verdicts.lines().map(|line| line.rsplit_once(" | ").unwrap().0).collect();
    insta::assert_snapshot!(verdicts.join("\n"), @r"
    golden | True | 100
    partial | False | 71
    wrong_target | False | 0
    wrong_target | False | 0
    untouched | False | 0
    ");
}

#[test]
fn files_that_are_named_have_the_names_that_tasks_use() {
    let dir = tempfile::tempdir().unwrap();
    let task = write_example(dir.path());
    let elsewhere =
        ["README.md", "setup_task.ps1", "export_result.ps1", "env.json", "seed_tasks.json", "summary.json"];
    let helpers = ["task_utils.sh", "task_utils.ps1"];
    let file = Regex::new(r"`([a-z_A-Z]+\.(?:json|py|sh|ps1|md))`").unwrap();
    for page in pages() {
        for found in file.captures_iter(&page.prose()) {
            let name = &found[1];
            let known = task.join(name).exists() || elsewhere.contains(&name) || helpers.contains(&name);
            assert!(known, "{}: tasks have no {name}", page.name);
        }
    }
}

#[test]
fn the_evidence_of_the_example_has_the_statuses_that_are_computed() {
    let dir = tempfile::tempdir().unwrap();
    let task = write_example(dir.path());
    let text = |name: &str| fs::read_to_string(task.join(name)).ok();
    let parsed = |name: &str| pyjson::parse(&text(name).unwrap()).unwrap();
    let verifier = python::parse(text("verifier.py").unwrap().as_bytes()).unwrap();
    let (spec, evidence, checklist) = (parsed("task.json"), parsed(EVIDENCE), parsed(CHECKLIST));
    let facts = Facts::new(Some(&spec), Some(&verifier), &text);
    let settled = settle(&evidence, &facts).unwrap();
    let unproved: Vec<_> =
        settled.findings.iter().filter(|(_, found)| found.status != Status::Verified).collect();
    assert!(unproved.is_empty(), "{unproved:?}");
    assert_eq!(pyjson::parse(&settled.text).unwrap(), evidence);
    let name = "prepare_storage_inspection";
    let faults = [checklist_faults(&checklist, name), evidence_faults(&evidence, name)].concat();
    assert!(faults.is_empty(), "{faults:?}");
    // The pass demands the same of a model's answer.
    let items = |list: &str| checklist.get(list).and_then(Value::as_list).map_or(0, <[Value]>::len);
    assert!((4..=8).contains(&items("task_completion")) && items("integrity") == 3);
    // Every value is told: text that proves nothing is not evidence.
    let told = checklist.get("privileged_info_for_vlm").and_then(Value::as_str).unwrap();
    for item in Item::all(&evidence) {
        let value = item.verified_value.as_str().unwrap();
        assert!(told.contains(value), "{value} is not told");
    }
}
