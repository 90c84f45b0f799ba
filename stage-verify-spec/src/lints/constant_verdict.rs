//! A verifier that returns the same verdict on every path.

use task_spec::python::ast::statement_visitor::{StatementVisitor, walk_stmt};
use task_spec::python::ast::{Expr, Stmt, StmtFunctionDef, StmtReturn};

use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "constant_verdict",
    explanation: "the verifier returns the same verdict on every path",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let verifier = subject.verifier()?;
    let verdict = if constant_verdict(verifier.entry()?)? { "True" } else { "False" };
    let message = format!(
        "{} returns passed: {verdict} on every path; check what the agent did, or remove the verifier",
        verifier.function
    );
    Some(Warning::of_file(verifier.file, message))
}

/// The verdict that every `return` of a function gives as a literal, if it is always the same.
fn constant_verdict(function: &StmtFunctionDef) -> Option<bool> {
    let mut returns = Returns::default();
    returns.visit_body(&function.body);
    let (first, rest) = returns.found.split_first()?;
    let verdict = literal_verdict(first)?;
    rest.iter().all(|other| literal_verdict(other) == Some(verdict)).then_some(verdict)
}

/// The verdict of `return {"passed": True, …}`.
fn literal_verdict(statement: &StmtReturn) -> Option<bool> {
    let dict = statement.value.as_ref()?.as_dict_expr()?;
    let mut items = dict.items.iter().skip_while(|item| !item.key.as_ref().is_some_and(is_passed));
    let verdict = items.next()?.value.as_boolean_literal_expr()?.value;
    // A later `**other` or a repeated key may replace the value.
    items.all(|item| item.key.as_ref().is_some_and(|key| !is_passed(key))).then_some(verdict)
}

fn is_passed(key: &Expr) -> bool {
    key.as_string_literal_expr().is_some_and(|key| key.value == *"passed")
}

/// Collects what a function returns, and not what functions inside it return.
#[derive(Default)]
struct Returns<'a> {
    found: Vec<&'a StmtReturn>,
}

impl<'a> StatementVisitor<'a> for Returns<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Return(found) => self.found.push(found),
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            _ => walk_stmt(self, statement),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn verifiers() {
        let check = |body: &str, expect: Option<&str>| {
            let task =
                Task::new("t").verifier(&format!("def verify_t(traj, env_info, task_info):\n{body}\n"));
            let expect = expect.map(|verdict| {
                format!(
                    "verify_t returns passed: {verdict} on every path; check what the agent did, or remove \
                     the verifier"
                )
            });
            assert_eq!(task.warnings(&super::LINT), Vec::from_iter(expect), "{body}");
        };
        check(" return {'passed': True, 'score': 100}", Some("True"));
        check(" return {'passed': False, 'score': 0}", Some("False"));
        check(" if traj: return {'passed': True}\n return {'score': 1, 'passed': True}", Some("True"));
        check(" if traj: return {'passed': False}\n return {'passed': True}", None);
        check(" return {'passed': bool(traj)}", None);
        check(" if traj: return other(traj)\n return {'passed': True}", None);
        check(" def inner():\n  return {'passed': False}\n return {'passed': True}", Some("True"));
        check(" return {'passed': True, **judge(traj)}", None);
        check(" return {**judge(traj), 'passed': True}", Some("True"));
        check(" pass", None);
    }
}
