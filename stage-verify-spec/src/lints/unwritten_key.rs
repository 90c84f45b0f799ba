//! A verifier that depends on a key of the result that no script writes.
//!
//! It warns only where the case is clear: the verifier reads one JSON file, into one variable, and the export
//! script writes that file and names some of the keys.

use std::collections::BTreeSet;

use common::read::read_regular;
use task_spec::python::ast::statement_visitor::{self, StatementVisitor};
use task_spec::python::ast::visitor::{Visitor, walk_stmt};
use task_spec::python::ast::{BoolOp, CmpOp, Expr, ExprCall, Stmt};
use task_spec::python::walk_deeper;

use super::subject::{Hook, Verifier, has_ending};
use super::{Lint, Subject, Warning};

/// Parts of keys that describe a failed run: a verdict does not depend on them.
const DIAGNOSTIC: [&str; 9] =
    ["err", "warn", "note", "message", "msg", "debug", "reason", "timestamp", "screenshot"];

/// Verifiers that read more keys than this are not checked. Ordinary ones read far fewer.
const MAX_KEYS: usize = 100;

/// Verifiers that read a longer key than this, in bytes, are not checked.
const MAX_KEY_BYTES: usize = 100;

/// The longest file that may write a result, in bytes.
const MAX_SCRIPT_BYTES: usize = 1 << 20;

pub(super) static LINT: Lint = Lint {
    name: "unwritten_key",
    explanation: "the verifier needs a key of the result that export_result.sh never writes",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let verifier = subject.verifier()?;
    let name = subject.hook_script(Hook::PostTask)?;
    let export = subject.text(name)?;
    let keys = ResultKeys::read_by(verifier, export)?;
    let mut missing: Vec<_> = keys.required().filter(|key| !may_write(export, key)).collect();
    // Most often none is missing. Then the rest, which takes longer, is not needed.
    if missing.is_empty() || !reads_one_file(verifier, export) {
        return None;
    }
    missing.retain(|key| !is_written_elsewhere(key, subject));
    if missing.is_empty() {
        return None;
    }
    let missing = missing.join(", ");
    let message = format!(
        "it needs {missing} in the result, but {name} never writes that; write it, or do not read it"
    );
    Some(Warning::of_file(verifier.file, message))
}

/// The keys that a verifier reads from its result.
struct ResultKeys<'a> {
    read: BTreeSet<&'a str>,
    /// Those that may be absent: the verifier tests for them, or has another value in their place.
    optional: BTreeSet<&'a str>,
}

impl<'a> ResultKeys<'a> {
    /// The keys, if the verifier reads JSON into one variable and this script writes some of the keys.
    fn read_by(verifier: Verifier<'a>, export: &str) -> Option<Self> {
        let mut loaded = LoadedVariables::default();
        loaded.visit_body(verifier.module.body());
        let [variable] = *loaded.variables else { return None };
        let mut collector = KeyCollector::of(variable);
        collector.visit_body(&verifier.entry()?.body);
        let KeyCollector { read, optional, is_changed, .. } = collector;
        if is_changed || read.len() > MAX_KEYS || read.iter().any(|key| key.len() > MAX_KEY_BYTES) {
            return None;
        }
        read.iter().any(|key| export.contains(key)).then_some(Self { read, optional })
    }

    fn required(&self) -> impl Iterator<Item = &'a str> {
        self.read.iter().copied().filter(|key| !self.optional.contains(key) && !is_diagnostic(key))
    }
}

fn is_diagnostic(key: &str) -> bool {
    DIAGNOSTIC.iter().any(|part| key.contains(part))
}

/// Whether a script contains a key, or may compose it.
pub(super) fn may_write(script: &str, key: &str) -> bool {
    script.contains(key)
        || is_replaced(script, key)
        || key.match_indices('_').any(|(at, _)| is_composed(script, key.split_at(at)))
}

/// `"tsconfig.json".replace(".", "_")`
fn is_replaced(script: &str, key: &str) -> bool {
    [".", "-", " "].iter().any(|separator| script.contains(&key.replace('_', separator)))
}

/// `${name}_exists`, `"stl_" + name`
fn is_composed(script: &str, (start, end): (&str, &str)) -> bool {
    let end_is_appended =
        script.match_indices(end).any(|(at, _)| char_before(script, at).is_some_and(is_seam));
    end_is_appended || {
        let start = format!("{start}_");
        script
            .match_indices(&start)
            .any(|(at, found)| char_after(script, at + found.len()).is_some_and(is_seam))
    }
}

fn char_before(text: &str, at: usize) -> Option<char> {
    text.get(..at)?.chars().next_back()
}

fn char_after(text: &str, at: usize) -> Option<char> {
    text.get(at..)?.chars().next()
}

/// Whether parts of a key may be joined at this character.
fn is_seam(character: char) -> bool {
    matches!(character, '{' | '}' | '$' | '"' | '\'' | '%' | ')' | '(' | '\\')
}

/// Whether another script of the task or of its environment may write a key.
pub(super) fn is_written_elsewhere(key: &str, subject: &Subject<'_>) -> bool {
    let in_task = subject
        .files()
        .filter(|name| may_be_script(name))
        .any(|name| subject.text(name).is_some_and(|text| text.contains(key)));
    in_task || ["scripts", "utils"].iter().any(|folder| is_written_in(key, subject, folder))
}

fn may_be_script(name: &str) -> bool {
    !name.starts_with("verifier") && !["json", "md", "yaml", "yml"].iter().any(|end| has_ending(name, end))
}

/// Whether a file in a folder of the environment contains a key.
fn is_written_in(key: &str, subject: &Subject<'_>, folder: &str) -> bool {
    let entries = fs_err::read_dir(subject.environment().root.join(folder)).into_iter().flatten();
    entries.filter_map(Result::ok).any(|entry| {
        let bytes = read_regular(&entry.path(), MAX_SCRIPT_BYTES).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(key)
    })
}

/// Whether a verifier reads JSON once, and names one JSON file, which this script names as well.
fn reads_one_file(verifier: Verifier<'_>, export: &str) -> bool {
    let mut files = JsonFiles::default();
    files.visit_body(verifier.module.body());
    let mut paths = files.paths.into_iter();
    let (Some(path), None) = (paths.next(), paths.next()) else { return false };
    files.loads == 1 && path.rsplit(['/', '\\']).next().is_some_and(|name| export.contains(name))
}

/// Collects the variables that a verifier reads JSON into.
#[derive(Default)]
struct LoadedVariables<'a> {
    variables: Vec<&'a str>,
}

impl<'a> StatementVisitor<'a> for LoadedVariables<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Assign(assign) = statement
            && let [Expr::Name(name)] = &*assign.targets
            && is_load(&assign.value)
        {
            self.variables.push(&name.id);
        }
        statement_visitor::walk_stmt(self, statement);
    }
}

/// Collects the JSON files that a verifier names, and counts how often it reads JSON.
#[derive(Default)]
struct JsonFiles<'a> {
    paths: BTreeSet<&'a str>,
    loads: usize,
}

impl<'a> Visitor<'a> for JsonFiles<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        self.loads += usize::from(is_load(expression));
        if let Expr::StringLiteral(text) = expression
            && is_absolute_json(text.value.to_str())
        {
            self.paths.insert(text.value.to_str());
        }
        walk_deeper(self, expression);
    }
}

/// Whether a text is an absolute path of a JSON file, on Linux or on Windows.
fn is_absolute_json(text: &str) -> bool {
    let is_windows = text.get(1..).is_some_and(|rest| rest.starts_with(":\\") || rest.starts_with(":/"));
    has_ending(text, "json") && (text.starts_with('/') || is_windows)
}

/// Whether this is `json.load(…)` or `json.loads(…)`.
fn is_load(expression: &Expr) -> bool {
    let method = expression.as_call_expr().and_then(|call| call.func.as_attribute_expr());
    method.is_some_and(|method| {
        let is_json = method.value.as_name_expr().is_some_and(|name| name.id == *"json");
        is_json && (method.attr == *"load" || method.attr == *"loads")
    })
}

/// Collects the keys that are read from a variable.
struct KeyCollector<'a> {
    variable: &'a str,
    read: BTreeSet<&'a str>,
    optional: BTreeSet<&'a str>,
    /// Whether something else is assigned to the variable or to a part of it.
    is_changed: bool,
}

impl<'a> KeyCollector<'a> {
    fn of(variable: &'a str) -> Self {
        Self { variable, read: BTreeSet::new(), optional: BTreeSet::new(), is_changed: false }
    }

    /// The key of `result["key"]` or `result.get("key")`.
    fn key(&self, expression: &'a Expr) -> Option<&'a str> {
        let key = match expression {
            Expr::Subscript(subscript) if self.is_result(&subscript.value) => &*subscript.slice,
            Expr::Call(call) if self.is_result(receiver_of_get(call)?) => call.arguments.args.first()?,
            _ => return None,
        };
        key.as_string_literal_expr().map(|key| key.value.to_str())
    }

    fn is_result(&self, value: &Expr) -> bool {
        value.as_name_expr().is_some_and(|name| name.id == *self.variable)
    }

    /// Notes that the key which an expression reads may be absent.
    fn add_optional(&mut self, expression: &'a Expr) {
        let key = self.key(expression);
        self.optional.extend(key);
    }

    fn assign(&mut self, target: &'a Expr, value: Option<&'a Expr>) {
        let is_part = target.is_subscript_expr() && self.key(target).is_some();
        self.is_changed |= is_part || (self.is_result(target) && !value.is_some_and(is_initial));
    }
}

/// Whether this is a value that a verifier assigns before it reads the result, or the result.
fn is_initial(value: &Expr) -> bool {
    match value {
        Expr::Dict(dict) => dict.items.is_empty(),
        Expr::NoneLiteral(_) => true,
        value => is_load(value),
    }
}

impl<'a> Visitor<'a> for KeyCollector<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.assign(target, Some(&assign.value));
                }
            }
            Stmt::AnnAssign(assign) => self.assign(&assign.target, assign.value.as_deref()),
            Stmt::AugAssign(assign) => self.assign(&assign.target, None),
            Stmt::For(block) => self.assign(&block.target, None),
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Some(key) = self.key(expression) {
            self.read.insert(key);
        }
        match expression {
            Expr::BoolOp(either) if either.op == BoolOp::Or => {
                for value in &either.values {
                    self.add_optional(value);
                }
            }
            Expr::If(choice) => {
                for part in [&choice.test, &choice.body, &choice.orelse] {
                    self.add_optional(part);
                }
            }
            Expr::Call(call) if receiver_of_get(call).is_some() => {
                for argument in &call.arguments.args {
                    self.add_optional(argument);
                }
                if call.arguments.args.get(1).is_some_and(|default| !is_falsy(default)) {
                    self.add_optional(expression);
                }
            }
            // `"key" in result`
            Expr::Compare(compare) if compare.ops.iter().any(|op| matches!(op, CmpOp::In | CmpOp::NotIn)) => {
                self.optional.extend(compare.left.as_string_literal_expr().map(|key| key.value.to_str()));
            }
            _ => {}
        }
        walk_deeper(self, expression);
    }
}

/// The receiver of a call of `get`.
fn receiver_of_get(call: &ExprCall) -> Option<&Expr> {
    let method = call.func.as_attribute_expr()?;
    (method.attr == *"get").then_some(&*method.value)
}

/// Whether Python takes a default for false, so that a verifier cannot pass with it.
fn is_falsy(default: &Expr) -> bool {
    match default {
        Expr::NoneLiteral(_) => true,
        Expr::BooleanLiteral(value) => !value.value,
        Expr::StringLiteral(text) => text.value.is_empty(),
        Expr::NumberLiteral(number) => {
            number.value.as_int().is_some_and(|number| number.as_u8() == Some(0))
                || number.value.as_float().is_some_and(|number| *number == 0.0)
        }
        Expr::Dict(dict) => dict.items.is_empty(),
        Expr::List(list) => list.elts.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn keys() {
        let check = |use_of_result: &str, export: &str, expect: &[&str]| {
            let source = format!(
                "import json\ndef verify_t(traj, env_info, task_info):\n \
                 env_info['copy_from_env']('/tmp/task_result.json', 'x')\n result = json.load(open('x'))\n \
                 ok = result.get('saved', False)\n {use_of_result}\n return {{'passed': ok}}\n"
            );
            let export =
                format!("#!/bin/sh\ncat > /tmp/task_result.json <<EOF\n{{\"saved\": 1}}\nEOF\n{export}\n");
            let task = Task::new("t")
                .spec("hooks", r#"{"post_task": "/workspace/tasks/t/export_result.sh"}"#)
                .file("export_result.sh", &export)
                .verifier(&source);
            let expect: Vec<_> = expect
                .iter()
                .map(|keys| {
                    format!("it needs {keys} in the result, but export_result.sh never writes that; write it, or do not read it")
                })
                .collect();
            assert_eq!(task.warnings(&super::LINT), expect, "{source}\n{export}");
        };
        check("pass", "", &[]);
        check("ok = result['rows']", "", &["rows"]);
        check("ok = result.get('rows', 0) > result.get('columns')", "", &["columns, rows"]);
        check("ok = result.get('rows', 7)", "", &[]);
        check("ok = result.get('rows') or result.get('saved')", "", &[]);
        check("ok = 'rows' in result and result['rows']", "", &[]);
        check("ok = not result.get('error')", "", &[]);
        check("ok = result['rows']", "echo '{\"rows\": 1}'", &[]);
        check("ok = result['table_rows']", "echo \"\\\"${kind}_rows\\\": 1\"", &[]);
        check("ok = result['table_rows']", "result[f'table_{what}'] = 1", &[]);
        check("ok = result['table_rows']", "result['table-rows'.replace('-', '_')] = 1", &[]);
        check("result = other(result); ok = result['rows']", "", &[]);
        check("result['rows'] = 1; ok = result['rows']", "", &[]);
        check("more = json.load(open('y')); ok = result['rows']", "", &[]);
    }
}
