//! The solution pass: scripts that do a task in the real software, rightly and wrongly, written without sight of the
//! verifier and the fixtures.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use common::environment::TaskName;
use common::publish::{NewFile, Workshop, publish};
use common::record::{Files, Record, Solution, WrongSolution};
use fs_err as fs;
use model_client::{ModelAnswer, Prefix};
use task_spec::files::Role;

use super::tasks;
use crate::ask::{Asker, Attempts, Halt, Question, Unanswered};
use crate::corpus::Corpus;
use crate::pipeline;
use crate::prompts::solution_prefix;
use crate::session::Session;
use crate::writer::Writer;

/// The maximum number of output tokens, reasoning included. A limit against runaway answers, not an expectation.
const MAX_OUTPUT_TOKENS: u64 = 48_000;

/// Files that the model does not see. A solution is evidence about the verifier only if its author knows neither how
/// the result is validated nor which results were tried.
const HIDDEN: [Role; 4] = [Role::Verifier, Role::Checklist, Role::Evidence, Role::Fixtures];

/// The most wrong solutions of a task. Each is run in a container of its own.
const MAX_WRONG: usize = 3;

/// The name of the script that solves a task.
pub(super) const SOLVE: &str = "solve.sh";

/// The folder of the scripts in the run directory, with a folder for each task.
pub(super) const SOLUTIONS: &str = "solutions";

/// Has solutions written for the tasks that come in as `files`, `task` or `seed` records. The scripts go to the
/// folder `solutions` of the run directory, where stage-verify-task finds them.
pub(crate) fn run(session: &Session<'_>, writer: &mut Writer) -> Result<(), Halt> {
    let tasks = tasks::incoming(session, writer, &HIDDEN)?;
    let corpus = Corpus::of_run(session.settings, session.ui)?;
    if !corpus.places.is_linux() {
        return Err(anyhow!(
            "solutions are shell scripts for Linux, and {} is not a Linux environment",
            session.settings.environment.name
        )
        .into());
    }
    let prefix = solution_prefix(session.asker.templates, &corpus)?;
    let prefix = session.prefixes.prefix("solution", 1, prefix)?;
    let folder = session.settings.run_dir.root().join(SOLUTIONS);
    fs::create_dir_all(&folder).context("cannot create the folder of the solutions")?;
    let workshop = Workshop::open(&folder).context("cannot create the folder of the solutions")?;
    pipeline::write_tasks(session, writer, tasks, |task| {
        let solution = write(session.asker, &prefix, task)?;
        store(&solution, &workshop).map_err(|error| Unanswered::Halt(error.into()))?;
        Ok(vec![Record::Solution(solution)])
    })
}

fn write(asker: Asker<'_>, prefix: &Prefix, task: &Files) -> Result<Solution, Unanswered> {
    let variables = tasks::variables(tasks::task_name(task), &task.files, &HIDDEN);
    let question = Question::about(task, "solution", prefix, variables, MAX_OUTPUT_TOKENS);
    let mut attempts = Attempts::default();
    let (scripts, answer) = asker.ask(&question, &mut attempts, read)?;
    Ok(Solution {
        env: task.env.clone(),
        task: question.task.to_owned(),
        index: task.index,
        script: scripts.script,
        wrong: scripts.wrong,
        model: answer.model,
        usage: attempts.usage,
        annotations: task.annotations.clone(),
    })
}

/// The scripts of a usable answer.
struct Scripts {
    script: String,
    wrong: Vec<WrongSolution>,
}

/// The scripts in an answer, or what is wrong with them, in words for the model.
fn read(answer: &ModelAnswer) -> Result<Scripts, Vec<String>> {
    let mut files = answer::parse(&answer.text, answer.stop).files;
    let Some(script) = files.remove(SOLVE) else { return Err(vec![format!("there was no {SOLVE} in it")]) };
    let mut problems = Vec::new();
    check(SOLVE, &script, &mut problems);
    let wrong = wrong_solutions(files, &mut problems);
    if problems.is_empty() { Ok(Scripts { script, wrong }) } else { Err(problems) }
}

fn wrong_solutions(files: BTreeMap<String, String>, problems: &mut Vec<String>) -> Vec<WrongSolution> {
    let mut wrong = Vec::new();
    for (file, script) in files {
        let name = file.strip_prefix("wrong-").and_then(|rest| rest.strip_suffix(".sh"));
        match name.and_then(TaskName::new) {
            Some(name) => {
                check(&file, &script, problems);
                wrong.push(WrongSolution { name: name.to_string(), script });
            }
            None => problems.push(format!(
                "{file} is neither {SOLVE} nor wrong-<name>.sh, where <name> is {}",
                TaskName::FORM
            )),
        }
    }
    if wrong.len() > MAX_WRONG {
        problems.push(format!("there are {} wrong solutions; write at most {MAX_WRONG}", wrong.len()));
    }
    wrong
}

/// Notes what keeps a script from being run, or from being evidence.
fn check(file: &str, script: &str, problems: &mut Vec<String>) {
    if !script.starts_with("#!") {
        problems.push(format!("{file} does not start with #!/bin/bash"));
    }
    for hook in ["setup_task.sh", "export_result.sh", "fixtures.json", "verifier.py"] {
        if script.contains(hook) {
            problems.push(format!("{file} names {hook}; a solution does not use the files of the task"));
        }
    }
}

/// Puts the scripts of a task into its folder, in place of earlier ones.
fn store(solution: &Solution, workshop: &Arc<Workshop>) -> anyhow::Result<()> {
    let names: Vec<String> = solution.wrong.iter().map(|wrong| format!("wrong-{}.sh", wrong.name)).collect();
    let mut files = vec![NewFile { name: SOLVE, bytes: solution.script.as_bytes(), executable: true }];
    for (name, wrong) in names.iter().zip(&solution.wrong) {
        files.push(NewFile { name, bytes: wrong.script.as_bytes(), executable: true });
    }
    let built = workshop.build(&solution.task, &files, true)?;
    publish(&[built]).with_context(|| format!("cannot store the solution of {}", solution.task))?;
    Ok(())
}
