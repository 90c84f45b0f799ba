//! Program verifiers: whether what a task names can be run.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use common::read::{FileError, read_regular};

use super::interpreter::{AskError, Interpreter, Located};
use super::paths::{exists, pure};
use crate::python::ast::{Expr, Stmt, StmtImportFrom};
use crate::python::{self, MAX_BYTES, Module};
use crate::spec::VerifierRef;

/// What is wrong with a program verifier.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    /// It cannot be run.
    #[error("{0}")]
    Invalid(String),
    /// It imports modules that the Python does not have.
    #[error(
        "the verifier imports {}, which the Python that runs it does not have; install it or do without",
        list(.0)
    )]
    MissingImports(BTreeSet<String>),
    /// It is in a module that the Python does not have.
    #[error("the Python that runs verifiers has no module '{0}'; install it")]
    MissingModule(String),
    /// It imports modules, and it is unknown whether they are installed.
    #[error("imports {}; without a Python it is unknown whether they are installed", list(.0))]
    Unknown(BTreeSet<String>),
    /// The Python cannot be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl ProgramError {
    /// The modules that the Python does not have.
    pub(super) fn into_missing_modules(self) -> BTreeSet<String> {
        match self {
            Self::MissingImports(modules) => modules,
            Self::MissingModule(module) => BTreeSet::from([module]),
            Self::Invalid(_) | Self::Unknown(_) | Self::Ask(_) => BTreeSet::new(),
        }
    }
}

/// Where a verifier looks for modules of its own.
#[derive(Clone, Copy)]
pub(super) struct Roots<'a> {
    pub task: &'a Path,
    pub environment: &'a Path,
    /// Whether the environment's `utils` is there and no folder, which the original cannot list.
    pub utils_is_file: bool,
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
    match VerifierRef::parse(reference) {
        Some(VerifierRef::File { file, function }) => {
            let module = parsed.insert(parse_file(file, roots.task, interpreter)?);
            if !module.functions().contains(function) {
                return invalid(format!(
                    "{file} has no function '{function}'; define it, or name another one"
                ));
            }
            check_imports(module.imports(), roots, interpreter)
        }
        Some(VerifierRef::Module { module, function }) => check_module(module, function, interpreter),
        None => invalid(format!(
            "'{reference}' is not a reference to a verifier; use verifier.py::function or \
             package.module:function"
        )),
    }
}

fn parse_file(file: &str, task: &Path, interpreter: &Interpreter) -> Result<Module, ProgramError> {
    let path = task.join(pure(file));
    let source = match read_regular(&path, MAX_BYTES) {
        Ok(source) => source,
        Err(FileError::Io(ErrorKind::NotFound)) => {
            return invalid(format!(
                "the verifier '{file}' is not in the task folder; add it, or name another one"
            ));
        }
        Err(error) => return invalid(format!("cannot read the verifier '{file}': {error}")),
    };
    match python::parse_for(&source, interpreter.version()) {
        Ok(module) => Ok(module),
        Err(error) => invalid(format!("{file} is not valid Python: {error}")),
    }
}

fn check_imports(
    imports: &BTreeSet<String>,
    roots: Roots<'_>,
    interpreter: &Interpreter,
) -> Result<(), ProgramError> {
    if roots.utils_is_file {
        return invalid("the environment's utils is a file; verifiers look for modules in a folder there");
    }
    let (mut missing, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for name in imports {
        // What the folders hold is looked up last, for it is asked of the system each time.
        match interpreter.has(name)? {
            Some(true) => {}
            _ if is_local(name, roots) => {}
            Some(false) => {
                missing.insert(name.clone());
            }
            None => {
                unknown.insert(name.clone());
            }
        }
    }
    if !missing.is_empty() {
        return Err(ProgramError::MissingImports(missing));
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
    let missing = || Err(ProgramError::MissingModule(module.to_owned()));
    if module.is_empty() || module.split('.').any(str::is_empty) || module.contains(char::is_control) {
        return missing();
    }
    match interpreter.locate(module)? {
        Some(Located::Missing) => return missing(),
        Some(Located::Source(source)) if !may_have(&source, attribute, interpreter, MAX_STARS)? => {}
        Some(Located::Source(_) | Located::Opaque) => return Ok(()),
        None => return Err(ProgramError::Unknown([module.to_owned()].into())),
    }
    invalid(format!("the module '{module}' has no '{attribute}'; name what it has"))
}

/// How many modules are looked into one after the other, each for what the one before takes all of.
const MAX_STARS: usize = 5;

/// Whether the module in a source file has an attribute, as far as sources tell without being run.
fn may_have(
    source: &Path,
    attribute: &str,
    interpreter: &Interpreter,
    stars: usize,
) -> Result<bool, ProgramError> {
    if attribute.is_empty() || attribute.starts_with("__") {
        return Ok(!attribute.is_empty());
    }
    let bytes = read_regular(source, MAX_BYTES).ok();
    let module = bytes.and_then(|bytes| python::parse_for(&bytes, interpreter.version()).ok());
    // What cannot be looked into may have anything.
    let Some(module) = module.filter(|_| stars > 0) else { return Ok(true) };
    let mut from_all = Vec::new();
    if binds(module.body(), attribute, &mut from_all) {
        return Ok(true);
    }
    for import in from_all {
        let name = import.module.as_ref().map_or("", |name| name.as_str());
        let found = match locate_from(source, import.level, name, interpreter)? {
            Located::Source(path) => may_have(&path, attribute, interpreter, stars - 1)?,
            Located::Opaque => true,
            Located::Missing => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The module that a source file means by a name, with as many dots before it.
fn locate_from(
    source: &Path,
    dots: u32,
    name: &str,
    interpreter: &Interpreter,
) -> Result<Located, ProgramError> {
    if dots == 0 {
        return Ok(interpreter.locate(name)?.unwrap_or(Located::Opaque));
    }
    let Some(folder) = source.ancestors().nth(dots as usize) else { return Ok(Located::Missing) };
    let path =
        name.split('.').filter(|part| !part.is_empty()).fold(folder.to_owned(), |path, part| path.join(part));
    let candidates = [path.with_extension("py"), path.join("__init__.py")];
    let found = candidates.into_iter().find(|candidate| candidate.is_file());
    Ok(found.map_or(Located::Opaque, Located::Source))
}

/// Whether statements bind a name. Imports of all that a module has are put into `from_all`.
fn binds<'a>(body: &'a [Stmt], name: &str, from_all: &mut Vec<&'a StmtImportFrom>) -> bool {
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
        Stmt::ImportFrom(import) => {
            if import.names.iter().any(|alias| alias.name == *"*") {
                from_all.push(import);
            }
            import.names.iter().any(|alias| *alias.asname.as_ref().unwrap_or(&alias.name) == *name)
        }
        Stmt::If(block) => {
            binds(&block.body, name, from_all)
                || block.elif_else_clauses.iter().any(|clause| binds(&clause.body, name, from_all))
        }
        Stmt::Try(block) => {
            let handlers = block.handlers.iter().filter_map(|handler| handler.as_except_handler());
            [&block.body, &block.orelse, &block.finalbody].into_iter().any(|body| binds(body, name, from_all))
                || handlers.into_iter().any(|handler| binds(&handler.body, name, from_all))
        }
        Stmt::With(block) => binds(&block.body, name, from_all),
        Stmt::For(block) => names(&block.target, name) || binds(&block.body, name, from_all),
        Stmt::While(block) => binds(&block.body, name, from_all),
        // `globals().update(…)` may bind anything.
        Stmt::Expr(expression) => calls_globals(&expression.value),
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
