//! A verifier that cannot know what the agent did.

use task_spec::python::ast::ExprContext;

use super::subject::Verifier;
use super::syntax_tree::any_expression;
use super::{Lint, Subject, Warning};

/// Modules with which a verifier may reach the environment by itself.
const NETWORK_MODULES: [&str; 10] =
    ["aiohttp", "docker", "ftplib", "http", "httpx", "importlib", "paramiko", "requests", "socket", "urllib"];

/// Modules with which a verifier may start commands.
const COMMAND_MODULES: [&str; 2] = ["os", "subprocess"];

/// Their functions that start one.
const COMMAND_FUNCTIONS: [&str; 5] = ["system", "popen", "run", "Popen", "check_output"];

pub(super) static LINT: Lint = Lint {
    name: "blind_verifier",
    explanation: "the verifier uses neither a result, nor the trajectory, nor a model's verdict",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let Some(verifier) = subject.verifier().filter(is_blind) else { return Vec::new() };
    let message = format!(
        "{} uses neither its trajectory nor its env_info, so it cannot know what the agent did; read a result with \
         env_info[\"copy_from_env\"]",
        verifier.function
    );
    vec![Warning::of_file(verifier.file, message)]
}

fn is_blind(verifier: &Verifier<'_>) -> bool {
    let Some(entry) = verifier.entry().filter(|entry| !entry.parameters.is_empty()) else { return false };
    // The trajectory and env_info.
    let given: Vec<_> = entry.parameters.iter().take(2).map(|parameter| parameter.name().as_str()).collect();
    let uses_given = any_expression(&entry.body, |expression| {
        let name = expression.as_name_expr().filter(|name| name.ctx == ExprContext::Load);
        // `locals()` returns the parameters, too.
        name.is_some_and(|name| name.id == *"locals" || given.contains(&name.id.as_str()))
    });
    !uses_given && !may_reach_environment(verifier)
}

/// Whether the verifier may reach the environment by itself.
fn may_reach_environment(verifier: &Verifier<'_>) -> bool {
    imports_any(verifier, &NETWORK_MODULES)
        || (imports_any(verifier, &COMMAND_MODULES) && starts_commands(verifier))
}

fn imports_any(verifier: &Verifier<'_>, modules: &[&str]) -> bool {
    let imports = verifier.module.imports();
    modules.iter().any(|module| imports.contains(*module))
}

fn starts_commands(verifier: &Verifier<'_>) -> bool {
    any_expression(verifier.module.body(), |expression| {
        expression.as_attribute_expr().is_some_and(|method| COMMAND_FUNCTIONS.contains(&method.attr.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn verifiers() {
        let check = |start: &str, body: &str, expect: usize| {
            let source = format!("{start}\ndef verify_t(traj, env_info, task_info):\n {body}\n");
            let task = Task::new("t").verifier(&source);
            assert_eq!(task.warnings(&super::LINT).len(), expect, "{source}");
        };
        check("", "return {'passed': True}", 1);
        check("", "return {'passed': task_info['metadata']['x'] == 1}", 1);
        check("", "return {'passed': open('/tmp/task_result.json').read() == '1'}", 1);
        check("", "traj = 1; return {'passed': True}", 1);
        check("", "return judge(traj, env_info)", 0);
        check("", "return {'passed': len(traj) > 3}", 0);
        check("", "return judge(**locals())", 0);
        check("import requests", "return {'passed': requests.get('http://localhost').ok}", 0);
        check("import subprocess", "return {'passed': not subprocess.run(['curl']).returncode}", 0);
        check("import os", "return {'passed': os.path.exists('/tmp/a')}", 1);
    }
}
