//! A verifier that has no way to know what the agent did.

use task_spec::python::ast::ExprContext;

use super::subject::Verifier;
use super::{Lint, Subject, Warning, any_expression};

/// Modules by which a verifier may reach an environment without being given a way.
const WAYS: [&str; 10] =
    ["aiohttp", "docker", "ftplib", "http", "httpx", "importlib", "paramiko", "requests", "socket", "urllib"];

/// The same, for commands that a verifier starts.
const COMMANDS: [&str; 2] = ["os", "subprocess"];

/// What those have to start one.
const STARTERS: [&str; 5] = ["system", "popen", "run", "Popen", "check_output"];

pub(super) static LINT: Lint = Lint {
    name: "blind_verifier",
    explanation: "the verifier looks neither at a result nor at the trajectory nor at a model's judgement",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let blind = subject.verifier().filter(is_blind);
    let warning = |verifier: Verifier<'_>| {
        let message = format!(
            "{} uses neither its trajectory nor its env_info, so it cannot see what the agent did; read a result \
             with env_info[\"copy_from_env\"]",
            verifier.function
        );
        Warning::of_file(verifier.file, message)
    };
    blind.map(warning).into_iter().collect()
}

fn is_blind(verifier: &Verifier<'_>) -> bool {
    let Some(entry) = verifier.entry().filter(|entry| !entry.parameters.is_empty()) else { return false };
    let given: Vec<_> = entry.parameters.iter().take(2).map(|parameter| parameter.name().as_str()).collect();
    // `locals()` holds the parameters, too.
    let is_given = |name: &str| name == "locals" || given.contains(&name);
    let uses_given = any_expression(&entry.body, |expression| {
        let name = expression.as_name_expr().filter(|name| name.ctx == ExprContext::Load);
        name.is_some_and(|name| is_given(&name.id))
    });
    !uses_given && !has_way(verifier)
}

/// Whether the verifier may get at the environment in another way.
fn has_way(verifier: &Verifier<'_>) -> bool {
    let imports = verifier.module.imports();
    let imports_any = |names: &[&str]| names.iter().any(|name| imports.contains(*name));
    let starts_commands = || {
        any_expression(verifier.module.body(), |expression| {
            let method = expression.as_attribute_expr().map(|method| method.attr.as_str());
            method.is_some_and(|method| STARTERS.contains(&method))
        })
    };
    imports_any(&WAYS) || (imports_any(&COMMANDS) && starts_commands())
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
