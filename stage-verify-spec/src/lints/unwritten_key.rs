//! A verifier that counts on a part of the result that nothing writes.
//!
//! Says something only where it can be sure: the verifier reads one JSON file, into one variable, and the
//! export script writes that file and names the keys in it.

use std::collections::BTreeSet;

use task_spec::files::read_regular;
use task_spec::python::ast::statement_visitor::{self, StatementVisitor};
use task_spec::python::ast::visitor::{Visitor, walk_stmt};
use task_spec::python::ast::{BoolOp, CmpOp, Expr, ExprCall, Stmt};

use super::subject::{Hook, Verifier, has_ending};
use super::{Lint, Subject, Warning, walk_deeper};

/// Parts of keys that are about a run which went wrong: nothing depends on their being there.
const ASIDE: [&str; 9] =
    ["err", "warn", "note", "message", "msg", "debug", "reason", "timestamp", "screenshot"];

/// Keys of one result, and bytes of a key, up to which a verifier is looked at. People need far fewer.
const MAX_KEYS: usize = 100;

/// The longest file that may write a result, in bytes.
const MAX_SCRIPT_BYTES: usize = 1 << 20;

pub(super) static LINT: Lint = Lint {
    name: "unwritten_key",
    explanation: "the verifier needs a key of the result that export_result.sh never writes",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let found = subject.verifier().and_then(|verifier| {
        let name = subject.hook_script(Hook::PostTask)?;
        let export = subject.text(name)?;
        let reads = Reads::of(verifier, export)?;
        let mut missing: Vec<_> = reads.required().filter(|key| is_unwritten(key, export)).collect();
        // Most often nothing is missing. Then the rest, which takes longer, need not be known.
        if missing.is_empty() || !reads_one_file(verifier, export) {
            return None;
        }
        missing.retain(|key| !is_written_elsewhere(key, subject));
        (!missing.is_empty()).then(|| {
            let missing = missing.join(", ");
            let message = format!(
                "it needs {missing} of the result, which {name} never writes; write it, or do without"
            );
            Warning::of_file(verifier.file, message)
        })
    });
    found.into_iter().collect()
}

/// The keys that a verifier reads of its result.
struct Reads<'a> {
    keys: BTreeSet<&'a str>,
    /// Those that it can do without: they have a stand-in, or it looks whether they are there.
    optional: BTreeSet<&'a str>,
}

impl<'a> Reads<'a> {
    /// Of a verifier that reads JSON into one variable, and this script writes some of the keys.
    fn of(verifier: Verifier<'a>, export: &str) -> Option<Self> {
        let mut loaded = Loaded::default();
        loaded.visit_body(verifier.module.body());
        let [variable] = *loaded.variables else { return None };
        let mut keys =
            Keys { variable, found: BTreeSet::new(), optional: BTreeSet::new(), is_changed: false };
        keys.visit_body(&verifier.entry()?.body);
        let reads = Self { keys: keys.found, optional: keys.optional };
        if reads.keys.len() > MAX_KEYS || reads.keys.iter().any(|key| key.len() > MAX_KEYS) {
            return None;
        }
        let writes_some = reads.keys.iter().any(|key| export.contains(key));
        (writes_some && !keys.is_changed).then_some(reads)
    }

    fn required(&self) -> impl Iterator<Item = &'a str> {
        let is_aside = |key: &str| ASIDE.iter().any(|aside| key.contains(aside));
        self.keys.iter().copied().filter(move |key| !self.optional.contains(key) && !is_aside(key))
    }
}

/// Whether a script neither holds a key nor puts one like it together.
fn is_unwritten(key: &str, script: &str) -> bool {
    let is_composed = |(at, _)| {
        let (start, end) = key.split_at(at);
        let end_is_added =
            || script.match_indices(end).any(|(at, _)| before(script, at).is_some_and(is_seam));
        let is_started = || {
            let start = format!("{start}_");
            script
                .match_indices(&start)
                .any(|(at, found)| after(script, at + found.len()).is_some_and(is_seam))
        };
        end_is_added() || is_started()
    };
    // `"tsconfig.json".replace(".", "_")`
    let is_rewritten = || [".", "-", " "].iter().any(|other| script.contains(&key.replace('_', other)));
    !script.contains(key) && !is_rewritten() && !key.match_indices('_').any(is_composed)
}

fn before(text: &str, at: usize) -> Option<char> {
    text.get(..at)?.chars().next_back()
}

fn after(text: &str, at: usize) -> Option<char> {
    text.get(at..)?.chars().next()
}

/// Whether a key may be put together at this character: `${name}_exists`, `"stl_" + name`.
fn is_seam(character: char) -> bool {
    matches!(character, '{' | '}' | '$' | '"' | '\'' | '%' | ')' | '(' | '\\')
}

/// Whether another script of the task or of its environment may write a key.
fn is_written_elsewhere(key: &str, subject: &Subject<'_>) -> bool {
    let is_script = |name: &str| {
        !name.starts_with("verifier")
            && !["json", "md", "yaml", "yml"].iter().any(|end| has_ending(name, end))
    };
    let mut own = subject.files().filter(|name| is_script(name));
    own.any(|name| subject.text(name).is_some_and(|text| text.contains(key)))
        || ["scripts", "utils"].iter().any(|folder| {
            let entries = fs_err::read_dir(subject.environment().root.join(folder)).into_iter().flatten();
            entries.filter_map(Result::ok).any(|entry| {
                let bytes = read_regular(&entry.path(), MAX_SCRIPT_BYTES).unwrap_or_default();
                String::from_utf8_lossy(&bytes).contains(key)
            })
        })
}

/// Whether a verifier reads JSON once, and names one JSON file, which this script names as well.
fn reads_one_file(verifier: Verifier<'_>, export: &str) -> bool {
    let mut files = Files::default();
    files.visit_body(verifier.module.body());
    let mut paths = files.paths.into_iter();
    let (Some(path), None) = (paths.next(), paths.next()) else { return false };
    files.loads == 1 && path.rsplit(['/', '\\']).next().is_some_and(|name| export.contains(name))
}

/// Collects the variables that a verifier reads JSON into.
#[derive(Default)]
struct Loaded<'a> {
    variables: Vec<&'a str>,
}

impl<'a> StatementVisitor<'a> for Loaded<'a> {
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
struct Files<'a> {
    paths: BTreeSet<&'a str>,
    loads: usize,
}

impl<'a> Visitor<'a> for Files<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        self.loads += usize::from(is_load(expression));
        if let Expr::StringLiteral(text) = expression {
            let text = text.value.to_str();
            let is_windows =
                text.get(1..).is_some_and(|rest| rest.starts_with(":\\") || rest.starts_with(":/"));
            if has_ending(text, "json") && (text.starts_with('/') || is_windows) {
                self.paths.insert(text);
            }
        }
        walk_deeper(self, expression);
    }
}

/// Whether this is `json.load(…)` or `json.loads(…)`.
fn is_load(expression: &Expr) -> bool {
    let method = expression.as_call_expr().and_then(|call| call.func.as_attribute_expr());
    method.is_some_and(|method| {
        let is_json = method.value.as_name_expr().is_some_and(|name| name.id == *"json");
        is_json && (method.attr == *"load" || method.attr == *"loads")
    })
}

/// Collects the keys that are read of a variable.
struct Keys<'a> {
    variable: &'a str,
    found: BTreeSet<&'a str>,
    optional: BTreeSet<&'a str>,
    /// Whether something else is put into the variable.
    is_changed: bool,
}

impl<'a> Keys<'a> {
    /// The key of `result["key"]` or `result.get("key")`.
    fn key(&self, expression: &'a Expr) -> Option<&'a str> {
        let is_result = |value: &Expr| value.as_name_expr().is_some_and(|name| name.id == *self.variable);
        let key = match expression {
            Expr::Subscript(subscript) if is_result(&subscript.value) => &*subscript.slice,
            Expr::Call(call) if is_result(get(call)?) => call.arguments.args.first()?,
            _ => return None,
        };
        key.as_string_literal_expr().map(|key| key.value.to_str())
    }

    /// Notes that the verifier can do without what an expression reads.
    fn can_do_without(&mut self, expression: &'a Expr) {
        let key = self.key(expression);
        self.optional.extend(key);
    }

    fn assign(&mut self, target: &'a Expr, value: Option<&'a Expr>) {
        let is_whole = target.as_name_expr().is_some_and(|name| name.id == *self.variable);
        let is_blank = |value: &Expr| match value {
            Expr::Dict(dict) => dict.items.is_empty(),
            Expr::NoneLiteral(_) => true,
            value => is_load(value),
        };
        let is_part = target.is_subscript_expr() && self.key(target).is_some();
        self.is_changed |= is_part || (is_whole && !value.is_some_and(is_blank));
    }
}

impl<'a> Visitor<'a> for Keys<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                assign.targets.iter().for_each(|target| self.assign(target, Some(&assign.value)));
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
            self.found.insert(key);
        }
        match expression {
            Expr::BoolOp(either) if either.op == BoolOp::Or => {
                either.values.iter().for_each(|value| self.can_do_without(value));
            }
            Expr::If(choice) => {
                for part in [&choice.test, &choice.body, &choice.orelse] {
                    self.can_do_without(part);
                }
            }
            Expr::Call(call) if get(call).is_some() => {
                call.arguments.args.iter().for_each(|argument| self.can_do_without(argument));
                if call.arguments.args.get(1).is_some_and(|default| !is_falsy(default)) {
                    self.can_do_without(expression);
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

/// What `….get(…)` is asked of.
fn get(call: &ExprCall) -> Option<&Expr> {
    let method = call.func.as_attribute_expr()?;
    (method.attr == *"get").then_some(&*method.value)
}

/// Whether a default counts as nothing, so that a verifier which is given it sees nothing.
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
                    format!("it needs {keys} of the result, which export_result.sh never writes; write it, or do without")
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
