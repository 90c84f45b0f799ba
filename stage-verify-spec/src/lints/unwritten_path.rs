//! A verifier that fetches a file which nothing writes.
//!
//! It warns only where the case is clear: the path is a literal, and no script of the task or its environment names
//! the file, its folder, or parts that its name may be composed of.

use std::collections::BTreeMap;

use task_spec::platform::Platform;
use task_spec::python::ast::visitor::{Visitor, walk_stmt};
use task_spec::python::ast::{Expr, ExprCall, Stmt};
use task_spec::python::walk_deeper;

use super::subject::{Hook, Verifier};
use super::unwritten_key::{is_written_elsewhere, may_write};
use super::{Lint, Subject, Warning};

/// Verifiers that fetch more files than this are not checked.
const MAX_PATHS: usize = 50;

/// Longer paths than this, in bytes, are not checked.
const MAX_PATH_BYTES: usize = 300;

pub(super) static LINT: Lint =
    Lint { name: "unwritten_path", explanation: "the verifier fetches a file that no script writes", check };

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let verifier = subject.verifier()?;
    let name = subject.hook_script(Hook::PostTask)?;
    let export = subject.text(name)?;
    let paths = Fetched::by(verifier);
    if paths.len() > MAX_PATHS {
        return None;
    }
    for path in paths.into_iter().filter(|path| path.len() <= MAX_PATH_BYTES) {
        if subject.platform() == Platform::Android && path.starts_with("/tmp/") {
            let message = format!("it fetches {path}, but Android has no /tmp; export below /sdcard");
            return Some(Warning::of_file(verifier.file, message));
        }
        if !may_exist(path, export, subject) {
            let message =
                format!("it fetches {path}, but {name} never writes that; use the path of the export");
            return Some(Warning::of_file(verifier.file, message));
        }
    }
    None
}

/// Whether a file may exist: a script names it or the folder it is in, or the agent is told to make it.
fn may_exist(path: &str, export: &str, subject: &Subject<'_>) -> bool {
    let (folder, file) = path.rsplit_once(['/', '\\']).unwrap_or(("", path));
    let folder = folder.rsplit(['/', '\\']).next().unwrap_or_default();
    // A folder that is this common says nothing.
    let folder = Some(folder).filter(|folder| !["tmp", "temp", "Temp", "sdcard", "ga", ""].contains(folder));
    [Some(file), folder].into_iter().flatten().any(|part| {
        may_write(export, part)
            || is_written_elsewhere(part, subject)
            || subject.field("description").is_some_and(|description| description.contains(part))
    })
}

/// Collects the absolute paths that a verifier fetches with `copy_from_env`.
#[derive(Default)]
struct Fetched<'a> {
    paths: Vec<&'a str>,
    /// What is assigned to each variable; `None` if more than one text, or something else.
    texts: BTreeMap<&'a str, Option<&'a str>>,
    /// The variables that are fetched.
    variables: Vec<&'a str>,
}

impl<'a> Fetched<'a> {
    fn by(verifier: Verifier<'a>) -> Vec<&'a str> {
        let mut fetched = Self::default();
        fetched.visit_body(verifier.module.body());
        let Self { mut paths, texts, variables } = fetched;
        paths.extend(variables.into_iter().filter_map(|name| texts.get(name).copied().flatten()));
        paths.retain(|path| {
            path.starts_with('/') || path.get(1..3) == Some(":\\") || path.get(1..3) == Some(":/")
        });
        paths
    }
}

impl<'a> Visitor<'a> for Fetched<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Assign(assign) = statement
            && let [Expr::Name(name)] = &*assign.targets
        {
            let text = assign.value.as_string_literal_expr().map(|text| text.value.to_str());
            self.texts.entry(&name.id).and_modify(|known| *known = None).or_insert(text);
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression
            && is_fetch(call)
        {
            match call.arguments.args.first() {
                Some(Expr::StringLiteral(path)) => self.paths.push(path.value.to_str()),
                Some(Expr::Name(name)) => self.variables.push(&name.id),
                _ => {}
            }
        }
        walk_deeper(self, expression);
    }
}

/// `copy_from_env(…)`, `env_info["copy_from_env"](…)`
fn is_fetch(call: &ExprCall) -> bool {
    const NAME: &str = "copy_from_env";
    match &*call.func {
        Expr::Name(name) => name.id == *NAME,
        Expr::Subscript(item) => item.slice.as_string_literal_expr().is_some_and(|key| key.value == *NAME),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn paths() {
        let check = |base: &str, fetch: &str, export: &str, expect: usize| {
            let task = Task::new("t")
                .environment(&format!(r#"{{"id": "a@1", "base": "{base}"}}"#))
                .spec("description", r#""Save the list as /home/ga/list.csv.""#)
                .spec("hooks", r#"{"post_task": "/workspace/tasks/t/export_result.sh"}"#)
                .file("export_result.sh", &format!("#!/bin/sh\n{export}\n"))
                .verifier(&format!(
                    "RESULT = '/tmp/t_result.json'\ndef verify_t(traj, env_info, task_info):\n \
                     copy_from_env = env_info['copy_from_env']\n {fetch}\n"
                ));
            assert_eq!(task.warnings(&super::LINT).len(), expect, "{fetch}\n{export}");
        };
        check("", "copy_from_env('/tmp/t_result.json', 'x')", "echo 1 > /tmp/other.json", 1);
        check("", "copy_from_env(RESULT, 'x')", "echo 1 > /tmp/other.json", 1);
        check("", "env_info['copy_from_env'](RESULT, 'x')", "echo 1 > /tmp/other.json", 1);
        check("", "copy_from_env(RESULT, 'x')", "echo 1 > /tmp/t_result.json", 0);
        check("", "copy_from_env(RESULT, 'x')", "echo 1 > \"/tmp/${TASK}_result.json\"", 0);
        check("", "copy_from_env('/tmp/out/a.xml', 'x')", "cp -r build /tmp/out", 0);
        check("", "copy_from_env('/home/ga/list.csv', 'x')", "true", 0);
        check("", "copy_from_env(traj, 'x')", "true", 0);
        check("android-14", "copy_from_env(RESULT, 'x')", "echo 1 > /tmp/t_result.json", 1);
    }
}
