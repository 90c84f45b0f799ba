//! Whether the function that checks a task looks at what the agent did.

use std::sync::LazyLock;

use regex::Regex;

use super::Module;
use super::ast::statement_visitor::{StatementVisitor, walk_stmt};
use super::ast::{Expr, ExprContext, ExprStringLiteral, Stmt, StmtFunctionDef, StmtReturn};
use super::walk::any_expression;
use crate::pattern::compile;

/// Modules with which a verifier may reach the environment by itself.
const NETWORK_MODULES: [&str; 10] =
    ["aiohttp", "docker", "ftplib", "http", "httpx", "importlib", "paramiko", "requests", "socket", "urllib"];

/// Modules with which a verifier may start commands.
const COMMAND_MODULES: [&str; 2] = ["os", "subprocess"];

/// Their functions that start one.
const COMMAND_FUNCTIONS: [&str; 5] = ["system", "popen", "run", "Popen", "check_output"];

static STUB: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r"(?i-u)\b(?:stub|placeholder|dummy) verifi\w+",
        r"|\bverif(?:ier|ication) (?:is a |is only a )?(?:stub|placeholder)\b",
    ))
});

impl Module {
    /// The function of this name that a caller gets: the last one at the top level.
    pub fn function(&self, name: &str) -> Option<&StmtFunctionDef> {
        let mut functions = self.body().iter().rev().filter_map(Stmt::as_function_def_stmt);
        functions.find(|function| function.name == *name)
    }

    /// Whether a verifier uses neither its trajectory nor its `env_info`, and cannot reach the environment by
    /// itself either.
    pub fn is_blind(&self, verifier: &StmtFunctionDef) -> bool {
        if verifier.parameters.is_empty() {
            return false;
        }
        let given: Vec<_> =
            verifier.parameters.iter().take(2).map(|parameter| parameter.name().as_str()).collect();
        let uses_given = any_expression(&verifier.body, |expression| {
            let name = expression.as_name_expr().filter(|name| name.ctx == ExprContext::Load);
            // `locals()` returns the parameters, too.
            name.is_some_and(|name| name.id == *"locals" || given.contains(&name.id.as_str()))
        });
        !uses_given && !self.may_reach_environment()
    }

    /// The words with which the documentation of the module or of a verifier in it calls it a stub.
    pub fn stub_words(&self, verifier: Option<&StmtFunctionDef>) -> Option<&str> {
        let bodies = [Some(self.body()), verifier.map(|verifier| verifier.body.as_slice())];
        let mut texts = bodies.into_iter().flatten().filter_map(documentation).map(|text| self.text(text));
        texts.find_map(|text| Some(STUB.find(text)?.as_str()))
    }

    fn may_reach_environment(&self) -> bool {
        self.imports_any(&NETWORK_MODULES) || (self.imports_any(&COMMAND_MODULES) && self.starts_commands())
    }

    fn imports_any(&self, modules: &[&str]) -> bool {
        modules.iter().any(|module| self.imports().contains(*module))
    }

    fn starts_commands(&self) -> bool {
        any_expression(self.body(), |expression| {
            let method = expression.as_attribute_expr();
            method.is_some_and(|method| COMMAND_FUNCTIONS.contains(&method.attr.as_str()))
        })
    }
}

/// The verdict that every `return` of a verifier gives as a literal, if it is always the same.
pub fn constant_verdict(verifier: &StmtFunctionDef) -> Option<bool> {
    let mut returns = Returns::default();
    returns.visit_body(&verifier.body);
    let (first, rest) = returns.found.split_first()?;
    let verdict = literal_verdict(first)?;
    rest.iter().all(|other| literal_verdict(other) == Some(verdict)).then_some(verdict)
}

/// The text that a module or a function starts with.
fn documentation(body: &[Stmt]) -> Option<&ExprStringLiteral> {
    body.first()?.as_expr_stmt()?.value.as_string_literal_expr()
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
    use super::super::parse;

    #[test]
    fn a_stub_says_so() {
        let source = "'''Stub verifier.'''\ndef verify_t(traj, env_info, task_info):\n return {}\n";
        let module = parse(source.as_bytes()).unwrap();
        assert_eq!(module.stub_words(module.function("verify_t")), Some("Stub verifier"));
        assert_eq!(module.function("other"), None);
    }
}
