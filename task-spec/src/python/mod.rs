//! Python source: whether it parses, which functions it defines, what it imports.
//!
//! Verifiers are judged by the Python that will run them, so this module answers as CPython's `ast.parse`
//! does when it is given the text of a file, without starting a Python. `ruff_python_parser` does the
//! parsing; [`limits`] adds what CPython rejects and ruff accepts. The differences were found by running
//! both over 75,000 snippets of CPython's own tests and over damaged verifiers.
//!
//! This is the only module that knows ruff's API, which changes with every release: code that wants to look
//! at the syntax tree goes through [`ast`] and [`Module::body`].
//!
//! Text of a model is hostile. Size is capped before parsing, nesting before anything recurses.

mod limits;
mod verifier;
mod walk;

use std::collections::BTreeSet;

use ruff_python_ast::statement_visitor::{StatementVisitor, walk_stmt};
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_parser::{Mode, ParseOptions, Parsed, parse_unchecked};
use ruff_text_size::{Ranged, TextRange, TextSize};

pub use self::verifier::constant_verdict;
pub use ruff_python_ast as ast;
pub use ruff_python_ast::PythonVersion as Version;

/// The longest source that is parsed, in bytes. The longest verifier of the published benchmark has 32 KB.
pub const MAX_BYTES: usize = 1 << 20;

/// The Python version that verifiers are written for, unless another is selected.
pub const DEFAULT_VERSION: Version = Version::PY311;

/// Why a source does not parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, in a few words.
    pub message: String,
}

/// A parsed source.
pub struct Module {
    source: String,
    parsed: Parsed<ast::ModModule>,
    functions: BTreeSet<String>,
    imports: BTreeSet<String>,
}

/// Visits the parts of an expression. A verifier may nest more levels than a thread's stack holds.
pub fn walk_deeper<'a>(visitor: &mut impl Visitor<'a>, expression: &'a ast::Expr) {
    // Most expressions have no parts.
    if !expression.is_name_expr() && !expression.is_literal_expr() {
        stacker::maybe_grow(64 << 10, 1 << 20, || walk_expr(visitor, expression));
    }
}

/// Parses the bytes of a file as [`DEFAULT_VERSION`] would.
pub fn parse(source: &[u8]) -> Result<Module, SyntaxError> {
    parse_for(source, DEFAULT_VERSION)
}

/// Parses the bytes of a file as this version of Python would.
///
/// A byte order mark is an error, as it is for a program that reads the file as UTF-8 and parses the text.
pub fn parse_for(source: &[u8], version: Version) -> Result<Module, SyntaxError> {
    let source = check_text(source)?;
    limits::check_before_parsing(source)?;
    let options = ParseOptions::from(Mode::Module).with_target_version(version);
    let Some(parsed) = parse_unchecked(source, options).try_into_module() else {
        return Err(SyntaxError::start("the source is not a module"));
    };
    if let Some(error) = parsed.errors().first() {
        return Err(SyntaxError::at(source, error.location.start(), error.error.to_string()));
    }
    if let Some(error) = parsed.unsupported_syntax_errors().first() {
        return Err(SyntaxError::at(source, error.range.start(), error.to_string()));
    }
    limits::check_parsed(source, &parsed, version)?;
    let mut names = Names::default();
    names.visit_body(&parsed.syntax().body);
    if let Some(position) = names.bare_try {
        return Err(SyntaxError::at(source, position, "expected 'except' or 'finally' block"));
    }
    Ok(Module { source: source.to_owned(), parsed, functions: names.functions, imports: names.imports })
}

impl Module {
    /// Names of every function, at any depth and methods included.
    pub fn functions(&self) -> &BTreeSet<String> {
        &self.functions
    }

    /// First parts of every module that is imported by an absolute name, anywhere in the source.
    pub fn imports(&self) -> &BTreeSet<String> {
        &self.imports
    }

    /// The statements of the module.
    pub fn body(&self) -> &[ast::Stmt] {
        &self.parsed.syntax().body
    }

    /// The source as it was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The source of a node of the syntax tree.
    pub fn text(&self, node: &impl Ranged) -> &str {
        let range: TextRange = node.range();
        self.source.get(range.start().to_usize()..range.end().to_usize()).unwrap_or_default()
    }

    /// The line of a node of the syntax tree, from 1.
    pub fn line(&self, node: &impl Ranged) -> usize {
        position(&self.source, node.start()).0
    }
}

impl SyntaxError {
    fn at(source: &str, offset: TextSize, message: impl Into<String>) -> Self {
        let (line, column) = position(source, offset);
        Self { line, column, message: message.into() }
    }

    fn start(message: impl Into<String>) -> Self {
        Self { line: 1, column: 1, message: message.into() }
    }
}

/// The line and the column of an offset, both from 1.
fn position(source: &str, offset: TextSize) -> (usize, usize) {
    end(source.get(..offset.to_usize()).unwrap_or(source))
}

/// The line and the column at which this text ends, both from 1.
fn end(text: &str) -> (usize, usize) {
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (text.split('\n').count(), column)
}

/// The source as text, where Python would get as far as parsing it.
fn check_text(source: &[u8]) -> Result<&str, SyntaxError> {
    if source.len() > MAX_BYTES {
        let message =
            format!("{} bytes of source are more than the {MAX_BYTES} that are parsed", source.len());
        return Err(SyntaxError::start(message));
    }
    let text = str::from_utf8(source).map_err(|error| {
        let valid = source.get(..error.valid_up_to()).and_then(|valid| str::from_utf8(valid).ok());
        let (line, column) = end(valid.unwrap_or_default());
        SyntaxError { line, column, message: "the source is not UTF-8".to_owned() }
    })?;
    if text.starts_with('\u{feff}') {
        return Err(SyntaxError::start("the source starts with a byte order mark (U+FEFF)"));
    }
    if let Some((before, _)) = text.split_once('\0') {
        let (line, column) = end(before);
        return Err(SyntaxError { line, column, message: "the source contains a NUL byte".to_owned() });
    }
    Ok(text)
}

/// Collects what a module defines and imports.
#[derive(Default)]
struct Names {
    functions: BTreeSet<String>,
    imports: BTreeSet<String>,
    /// A `try` with an `else` but no `except`, which ruff accepts.
    bare_try: Option<TextSize>,
}

impl Names {
    fn import(&mut self, dotted: &str) {
        let root = dotted.split('.').next().unwrap_or_default();
        if !self.imports.contains(root) {
            self.imports.insert(root.to_owned());
        }
    }
}

impl<'a> StatementVisitor<'a> for Names {
    fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
        match statement {
            ast::Stmt::FunctionDef(function) => {
                self.functions.insert(function.name.to_string());
            }
            ast::Stmt::Import(import) => {
                for alias in &import.names {
                    self.import(&alias.name);
                }
            }
            ast::Stmt::ImportFrom(import) if import.level == 0 => {
                if let Some(module) = &import.module {
                    self.import(module);
                }
            }
            ast::Stmt::Try(block) if block.handlers.is_empty() && !block.orelse.is_empty() => {
                self.bare_try.get_or_insert(block.range.start());
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }
}

#[cfg(test)]
mod tests;
