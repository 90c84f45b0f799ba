//! A verifier that calls a function which gym-anything does not provide.

use task_spec::python::ast::visitor::Visitor;
use task_spec::python::ast::{BoolOp, Expr};
use task_spec::python::walk_deeper;

use super::{Lint, Subject, Warning};

const NAME: &str = "exec_in_env";

pub(super) static LINT: Lint = Lint {
    name: "exec_in_env",
    explanation: "the verifier takes exec_in_env from env_info, which does not contain it",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    // Few verifiers contain the name at all.
    let verifier = subject.verifier().filter(|verifier| verifier.module.source().contains(NAME))?;
    let mut search = Search::default();
    search.visit_body(verifier.module.body());
    let line = verifier.module.line(search.first?);
    let message =
        format!("line {line}: env_info does not contain exec_in_env; use exec_capture or copy_from_env");
    Some(Warning::of_file(verifier.file, message))
}

/// Finds `env_info["exec_in_env"]` and `env_info.get("exec_in_env")`, unless there is an alternative.
#[derive(Default)]
struct Search<'a> {
    first: Option<&'a Expr>,
}

impl<'a> Visitor<'a> for Search<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if has_alternative(expression) {
            return;
        }
        if is_lookup(expression) {
            self.first.get_or_insert(expression);
        } else {
            walk_deeper(self, expression);
        }
    }
}

/// `env_info.get("exec_in_env") or env_info.get("exec_capture")`
fn has_alternative(expression: &Expr) -> bool {
    let either = expression.as_bool_op_expr().filter(|either| either.op == BoolOp::Or);
    either.is_some_and(|either| !either.values.iter().all(is_lookup))
}

fn is_lookup(expression: &Expr) -> bool {
    match expression {
        Expr::Subscript(subscript) => is_name(&subscript.slice),
        Expr::Call(call) => {
            let is_get = call.func.as_attribute_expr().is_some_and(|method| method.attr == *"get");
            is_get && matches!(&*call.arguments.args, [name] if is_name(name))
        }
        _ => false,
    }
}

fn is_name(expression: &Expr) -> bool {
    expression.as_string_literal_expr().is_some_and(|text| text.value == *NAME)
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn verifiers() {
        let check = |statement: &str, expect: usize| {
            let task = Task::new("t")
                .verifier(&format!("def verify_t(traj, env_info, task_info):\n  {statement}\n"));
            assert_eq!(task.warnings(&super::LINT).len(), expect, "{statement}");
        };
        check("run = env_info.get('exec_in_env')", 1);
        check("run = env_info['exec_in_env']", 1);
        check("run = env_info.get('exec_in_env', env_info.get('exec_capture'))", 0);
        check("run = env_info.get('exec_in_env') or env_info.get('exec_capture')", 0);
        check("run = env_info.get('exec_capture')  # never exec_in_env", 0);
        check("'''exec_in_env is not there'''", 0);
    }
}
