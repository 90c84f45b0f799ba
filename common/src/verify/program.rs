//! Program verifiers: whether what a task names can be run.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::{exists, pure, read_regular};
use super::interpreter::{AskError, Interpreter, Located};
use crate::python::ast::{Expr, Stmt};
use crate::python::{self, MAX_BYTES, Module};

/// What is wrong with a program verifier.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    /// It cannot be run.
    #[error("{0}")]
    Invalid(String),
    /// It imports modules of which nobody can say whether they are installed.
    #[error("imports {}, and there is no Python to ask whether they are installed", list(.0))]
    Unknown(BTreeSet<String>),
    /// The Python cannot be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// Where a verifier looks for modules of its own.
#[derive(Clone, Copy)]
pub(super) struct Roots<'a> {
    pub task: &'a Path,
    pub environment: &'a Path,
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

fn invalid<T>(message: impl Into<String>) -> Result<T, ProgramError> {
    Err(ProgramError::Invalid(message.into()))
}

/// Checks `file.py::function` or `package.module:function`. A file that parses is given to `parsed`.
pub(super) fn check_program(
    reference: &str,
    roots: Roots<'_>,
    interpreter: &Interpreter,
    parsed: &mut Option<Module>,
) -> Result<(), ProgramError> {
    if let Some((file, function)) = reference.split_once("::") {
        let module = parse_file(file, roots.task, interpreter)?;
        let module = parsed.insert(module);
        if !module.functions().contains(function) {
            return invalid(format!("{file} has no function '{function}'; define it, or name another one"));
        }
        return check_imports(module.imports(), roots, interpreter);
    }
    if let Some((module, attribute)) = reference.split_once(':') {
        return check_module(module, attribute, interpreter);
    }
    invalid(format!("'{reference}' is no reference; use verifier.py::function or package.module:function"))
}

fn parse_file(file: &str, task: &Path, interpreter: &Interpreter) -> Result<Module, ProgramError> {
    let path = task.join(pure(file));
    if !exists(&path) {
        return invalid(format!(
            "the verifier '{file}' is not in the task folder; add it, or name another one"
        ));
    }
    let source = match read_regular(&path, MAX_BYTES) {
        Ok(source) => source,
        Err(error) => return invalid(format!("cannot read the verifier '{file}': {error}")),
    };
    match python::parse_for(&source, interpreter.version()) {
        Ok(module) => Ok(module),
        Err(error) => invalid(format!("{file} is no Python: {error}")),
    }
}

fn check_imports(
    imports: &BTreeSet<String>,
    roots: Roots<'_>,
    interpreter: &Interpreter,
) -> Result<(), ProgramError> {
    let utils = roots.environment.join("utils");
    if exists(&utils) && !utils.is_dir() {
        return invalid("the environment's utils is a file; verifiers look for modules in a folder there");
    }
    let (mut missing, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for name in imports {
        if interpreter.is_standard(name) || is_local(name, roots) {
            continue;
        }
        match interpreter.is_installed(name)? {
            Some(true) => {}
            Some(false) => drop(missing.insert(name.clone())),
            None => drop(unknown.insert(name.clone())),
        }
    }
    if !missing.is_empty() {
        return invalid(format!(
            "the verifier imports {}, which the Python that runs it does not have; install it or do without",
            list(&missing)
        ));
    }
    if unknown.is_empty() { Ok(()) } else { Err(ProgramError::Unknown(unknown)) }
}

/// Whether a module lies beside the verifier, in `tasks/`, in the environment, or in its `utils/`.
fn is_local(name: &str, roots: Roots<'_>) -> bool {
    let utils = roots.environment.join("utils");
    let folders = [Some(roots.task), roots.task.parent(), Some(roots.environment), Some(utils.as_path())];
    folders.into_iter().flatten().any(|folder| {
        let package = folder.join(name);
        folder.join(format!("{name}.py")).is_file() || exists(&package.join("__init__.py"))
    })
}

fn check_module(module: &str, attribute: &str, interpreter: &Interpreter) -> Result<(), ProgramError> {
    let missing = || format!("the Python that runs verifiers has no module '{module}'; install it");
    if module.is_empty() || module.split('.').any(str::is_empty) || module.contains(char::is_control) {
        return invalid(missing());
    }
    let source = match interpreter.locate(module)? {
        Some(Located::Missing) => return invalid(missing()),
        Some(Located::Source(source)) => source,
        Some(Located::Opaque) => return Ok(()),
        None => return Err(ProgramError::Unknown([module.to_owned()].into())),
    };
    let parsed = read_regular(&source, MAX_BYTES).ok();
    let parsed = parsed.and_then(|source| python::parse_for(&source, interpreter.version()).ok());
    match parsed {
        Some(parsed) if !may_have(&parsed, attribute) => {
            invalid(format!("the module '{module}' has no '{attribute}'; name what it has"))
        }
        _ => Ok(()),
    }
}

/// Whether a module has an attribute, as far as its source tells without being run.
fn may_have(module: &Module, attribute: &str) -> bool {
    let is_dunder = attribute.starts_with("__") && attribute.ends_with("__");
    is_dunder || binds(module.body(), attribute)
}

fn binds(body: &[Stmt], name: &str) -> bool {
    body.iter().any(|statement| match statement {
        // A module may answer for names that it does not have.
        Stmt::FunctionDef(function) => function.name == *name || function.name == *"__getattr__",
        Stmt::ClassDef(class) => class.name == *name,
        Stmt::Assign(assign) => assign.targets.iter().any(|target| names(target, name)),
        Stmt::AnnAssign(assign) => assign.value.is_some() && names(&assign.target, name),
        Stmt::Import(import) => import.names.iter().any(|alias| match &alias.asname {
            Some(other) => *other == *name,
            None => alias.name.split('.').next() == Some(name),
        }),
        Stmt::ImportFrom(import) => import
            .names
            .iter()
            .any(|alias| alias.name == *"*" || *alias.asname.as_ref().unwrap_or(&alias.name) == *name),
        Stmt::If(block) => {
            binds(&block.body, name) || block.elif_else_clauses.iter().any(|clause| binds(&clause.body, name))
        }
        Stmt::Try(block) => {
            let handlers = block.handlers.iter().filter_map(|handler| handler.as_except_handler());
            [&block.body, &block.orelse, &block.finalbody].into_iter().any(|body| binds(body, name))
                || handlers.into_iter().any(|handler| binds(&handler.body, name))
        }
        Stmt::With(block) => binds(&block.body, name),
        Stmt::For(block) => names(&block.target, name) || binds(&block.body, name),
        Stmt::While(block) => binds(&block.body, name),
        // `globals().update(…)` may bind anything.
        Stmt::Expr(expression) => expression.value.is_call_expr() && calls_globals(&expression.value),
        _ => false,
    })
}

fn names(target: &Expr, name: &str) -> bool {
    match target {
        Expr::Name(target) => target.id == *name,
        Expr::Tuple(targets) => targets.elts.iter().any(|target| names(target, name)),
        Expr::List(targets) => targets.elts.iter().any(|target| names(target, name)),
        // `globals()[…] = …`
        Expr::Subscript(target) => calls_globals(&target.value),
        _ => false,
    }
}

fn calls_globals(expression: &Expr) -> bool {
    match expression {
        Expr::Call(call) => match call.func.as_ref() {
            Expr::Name(function) => function.id == *"globals",
            Expr::Attribute(method) => calls_globals(&method.value),
            _ => false,
        },
        _ => false,
    }
}
