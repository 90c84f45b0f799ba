//! What CPython rejects and ruff accepts, and what would exhaust the stack.
//!
//! The limits are CPython's: 200 brackets, 100 levels of indentation, 4,300 digits of a decimal number
//! (since 3.11, and in security releases before), and as many levels of syntax tree as its recursion limit of
//! 1,000 frames allows. Columns of tabs are compared as its tokenizer does.

use memchr::memchr;
use ruff_python_ast::token::{Token, TokenKind};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, PythonVersion};
use ruff_python_parser::{Mode, Parsed, lexer};
use ruff_text_size::{Ranged, TextSize};

use super::SyntaxError;

/// Sources up to this size, with up to [`HARMLESS_BRACKETS`], cannot nest deeply enough to exhaust a thread's
/// stack of 2 MiB, whatever they hold. Most verifiers are like that and need not be read twice.
const HARMLESS_BYTES: usize = 16 << 10;
const HARMLESS_BRACKETS: usize = 1_000;

/// Levels of syntax tree that are dropped without exhausting a stack of 2 MiB, in a debug build too.
const HARMLESS_LEVELS: usize = 6_000;

/// Levels of syntax tree that CPython turns into objects: three for each of its 1,000 frames, less the
/// dozen frames of a program that parses.
const MAX_LEVELS: usize = 2_950;

const MAX_BRACKETS: usize = 200;
const MAX_INDENTS: usize = 100;
const MAX_DIGITS: usize = 4_300;

/// Refuses a source that could exhaust the stack while it is parsed or dropped.
pub(super) fn check_before_parsing(source: &str) -> Result<(), SyntaxError> {
    if source.len() <= HARMLESS_BYTES && count_brackets(source) <= HARMLESS_BRACKETS {
        return Ok(());
    }
    let mut lexer = lexer::lex(source, Mode::Module);
    let mut nesting = Nesting::default();
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return Ok(()),
            kind => nesting.token(kind),
        }
        if nesting.deepest > HARMLESS_LEVELS || nesting.brackets.len() > MAX_BRACKETS {
            return Err(SyntaxError::start("the source is nested too deeply"));
        }
    }
}

/// How many brackets a source opens, in strings and comments, too.
fn count_brackets(source: &str) -> usize {
    let is_bracket = |byte: &u8| matches!(byte, b'(' | b'[' | b'{');
    // Counted in bytes, many of which are added at once, and in pieces that a byte can count.
    let in_piece = |piece: &[u8]| piece.iter().map(|byte| u8::from(is_bracket(byte))).sum::<u8>();
    source.as_bytes().chunks(usize::from(u8::MAX)).map(|piece| usize::from(in_piece(piece))).sum()
}

/// Checks a source that ruff accepts.
pub(super) fn check_parsed(
    source: &str,
    parsed: &Parsed<ast::ModModule>,
    version: PythonVersion,
) -> Result<(), SyntaxError> {
    let mut scan = Scan::new(source, version);
    let tokens: &[Token] = parsed.tokens();
    for (index, token) in tokens.iter().enumerate() {
        scan.token(*token, tokens.get(..index).unwrap_or_default())?;
    }
    if memchr(b'\t', source.as_bytes()).is_some() {
        check_tabs(source, parsed)?;
    }
    // A level takes a token of the same logical line.
    if scan.longest_line > MAX_LEVELS || scan.elifs > MAX_LEVELS {
        check_levels(parsed)?;
    }
    if scan.odd_f_string && version < PythonVersion::PY312 {
        check_f_strings(source, parsed)?;
    }
    Ok(())
}

/// An upper bound of how deep the syntax tree is, from the kinds of the tokens alone.
#[derive(Default)]
struct Nesting {
    /// For each open bracket, the operators seen at its level before it.
    brackets: Vec<usize>,
    /// Operators since the last comma or line at this level.
    here: usize,
    /// The sum of `brackets`.
    outside: usize,
    deepest: usize,
}

impl Nesting {
    fn token(&mut self, kind: TokenKind) {
        match kind {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                self.brackets.push(self.here);
                self.outside += self.here + 1;
                self.here = 0;
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                if let Some(before) = self.brackets.pop() {
                    self.outside -= before + 1;
                    self.here = before + 1;
                }
            }
            TokenKind::Comma | TokenKind::Newline => self.here = 0,
            // Side by side they make one node.
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::String
            | TokenKind::FStringStart
            | TokenKind::FStringMiddle
            | TokenKind::FStringEnd
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline => {}
            _ => self.here += 1,
        }
        self.deepest = self.deepest.max(self.outside + self.here);
    }
}

/// One pass over the tokens of a source that ruff accepts.
struct Scan<'a> {
    source: &'a str,
    version: PythonVersion,
    brackets: usize,
    /// Tokens of the logical line so far.
    line: usize,
    longest_line: usize,
    indents: usize,
    elifs: usize,
    /// Braces open in each f-string that is open.
    f_strings: Vec<usize>,
    /// Whether an f-string has something in it that Python before 3.12 may reject.
    odd_f_string: bool,
}

impl<'a> Scan<'a> {
    fn new(source: &'a str, version: PythonVersion) -> Self {
        Self {
            source,
            version,
            brackets: 0,
            line: 0,
            longest_line: 0,
            indents: 0,
            elifs: 0,
            f_strings: Vec::new(),
            odd_f_string: false,
        }
    }

    /// Looks at a token that comes after these.
    fn token(&mut self, token: Token, before: &[Token]) -> Result<(), SyntaxError> {
        self.line += 1;
        match token.kind() {
            TokenKind::Newline => {
                self.longest_line = self.longest_line.max(self.line);
                self.line = 0;
            }
            TokenKind::Lpar | TokenKind::Lsqb => self.open(token)?,
            TokenKind::Rpar | TokenKind::Rsqb => self.brackets = self.brackets.saturating_sub(1),
            TokenKind::Lbrace => {
                self.open(token)?;
                if let Some(braces) = self.f_strings.last_mut() {
                    *braces += 1;
                    self.odd_f_string |= *braces > 2;
                }
            }
            TokenKind::Rbrace => {
                self.brackets = self.brackets.saturating_sub(1);
                if let Some(braces) = self.f_strings.last_mut() {
                    *braces = braces.saturating_sub(1);
                }
                self.check_conversion(token, before)?;
            }
            TokenKind::FStringStart => self.f_strings.push(0),
            TokenKind::FStringEnd => {
                self.f_strings.pop();
            }
            TokenKind::Star => self.odd_f_string |= !self.f_strings.is_empty(),
            TokenKind::Indent => {
                self.indents += 1;
                if self.indents >= MAX_INDENTS {
                    return self.error(token, "too many levels of indentation");
                }
            }
            TokenKind::Dedent => self.indents = self.indents.saturating_sub(1),
            TokenKind::Elif => self.elifs += 1,
            TokenKind::Int => self.check_digits(token)?,
            TokenKind::ColonEqual if before.last().is_some_and(|last| last.kind() == TokenKind::Rpar) => {
                return self.error(token, "cannot use assignment expressions with a parenthesized name");
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, bracket: Token) -> Result<(), SyntaxError> {
        self.brackets += 1;
        if self.brackets > MAX_BRACKETS {
            return self.error(bracket, "too many nested parentheses");
        }
        Ok(())
    }

    /// Python before 3.12 wants `!r` to be followed by `:` or `}` at once.
    fn check_conversion(&self, brace: Token, before: &[Token]) -> Result<(), SyntaxError> {
        let [.., bang, conversion] = before else { return Ok(()) };
        if bang.kind() == TokenKind::Exclamation
            && conversion.end() != brace.start()
            && self.version < PythonVersion::PY312
        {
            return self.error(brace, "f-string: expecting '}'");
        }
        Ok(())
    }

    fn check_digits(&self, number: Token) -> Result<(), SyntaxError> {
        let range = number.range();
        if range.len().to_usize() <= MAX_DIGITS {
            return Ok(());
        }
        let text = self.source.get(range.start().to_usize()..range.end().to_usize()).unwrap_or_default();
        let decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
        if decimal && text.bytes().filter(u8::is_ascii_digit).count() > MAX_DIGITS {
            return self.error(number, "exceeds the limit of 4300 digits for an integer");
        }
        Ok(())
    }

    fn error(&self, token: Token, message: &str) -> Result<(), SyntaxError> {
        Err(SyntaxError::at(self.source, token.start(), message))
    }
}

/// Compares the indentation of logical lines as CPython does: with tabs to the next multiple of eight and,
/// to catch what depends on that, with tabs of one column. Both comparisons must agree.
fn check_tabs(source: &str, parsed: &Parsed<ast::ModModule>) -> Result<(), SyntaxError> {
    let mut levels = vec![(0, 0)];
    let mut at_line_start = true;
    for token in parsed.tokens() {
        match token.kind() {
            TokenKind::Newline => at_line_start = true,
            TokenKind::Comment
            | TokenKind::NonLogicalNewline
            | TokenKind::Indent
            | TokenKind::Dedent
            | TokenKind::EndOfFile => {}
            _ if at_line_start => {
                at_line_start = false;
                if !fits(&mut levels, columns(source, token.start())) {
                    let message = "inconsistent use of tabs and spaces in indentation";
                    return Err(SyntaxError::at(source, token.start(), message));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Opens or closes levels for a line that starts at these columns; whether the two columns agree about it.
fn fits(levels: &mut Vec<(usize, usize)>, (column, alternative): (usize, usize)) -> bool {
    let top = levels.last().copied().unwrap_or_default();
    if column == top.0 {
        return alternative == top.1;
    }
    if column > top.0 {
        levels.push((column, alternative));
        return alternative > top.1;
    }
    while levels.len() > 1 && levels.last().is_some_and(|level| column < level.0) {
        levels.pop();
    }
    levels.last() == Some(&(column, alternative))
}

/// The column of a line's first token with tabs of eight columns, and with tabs of one.
fn columns(source: &str, start: TextSize) -> (usize, usize) {
    let before = source.get(..start.to_usize()).unwrap_or_default();
    let line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
    line.chars().fold((0, 0), |(column, alternative), character| match character {
        '\t' => ((column / 8 + 1) * 8, alternative + 1),
        '\x0c' => (0, 0),
        _ => (column + 1, alternative + 1),
    })
}

/// Refuses a syntax tree with more levels than CPython can turn into objects.
fn check_levels(parsed: &Parsed<ast::ModModule>) -> Result<(), SyntaxError> {
    let mut levels = Levels::default();
    levels.visit_body(&parsed.syntax().body);
    if levels.deepest > MAX_LEVELS {
        return Err(SyntaxError::start("maximum recursion depth exceeded: the source is nested too deeply"));
    }
    Ok(())
}

#[derive(Default)]
struct Levels {
    current: usize,
    deepest: usize,
}

impl Levels {
    fn below(&mut self, levels: usize, visit: impl FnOnce(&mut Self)) {
        self.current += levels;
        self.deepest = self.deepest.max(self.current);
        stacker::maybe_grow(32 << 10, 1 << 20, || visit(self));
        self.current -= levels;
    }
}

impl<'a> Visitor<'a> for Levels {
    fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
        // To CPython an `elif` is an `if` within the `else` of the one before.
        let elifs = if let ast::Stmt::If(block) = statement { block.elif_else_clauses.len() } else { 0 };
        self.below(1 + elifs, |levels| walk_stmt(levels, statement));
    }

    fn visit_expr(&mut self, expression: &'a ast::Expr) {
        self.below(1, |levels| walk_expr(levels, expression));
    }
}

/// Refuses what f-strings could not hold before Python 3.12: a format within a format, and a bare star.
fn check_f_strings(source: &str, parsed: &Parsed<ast::ModModule>) -> Result<(), SyntaxError> {
    let mut formats = Formats::default();
    formats.visit_body(&parsed.syntax().body);
    match formats.wrong {
        Some((offset, message)) => Err(SyntaxError::at(source, offset, message)),
        None => Ok(()),
    }
}

#[derive(Default)]
struct Formats {
    depth: usize,
    wrong: Option<(TextSize, &'static str)>,
}

impl<'a> Visitor<'a> for Formats {
    fn visit_interpolated_string_element(&mut self, element: &'a ast::InterpolatedStringElement) {
        let ast::InterpolatedStringElement::Interpolation(interpolation) = element else { return };
        if interpolation.expression.is_starred_expr() {
            self.wrong.get_or_insert((element.start(), "f-string: can't use starred expression here"));
        }
        if self.depth >= 2 {
            self.wrong.get_or_insert((element.start(), "f-string: expressions nested too deeply"));
        }
        let depth = std::mem::take(&mut self.depth);
        self.visit_expr(&interpolation.expression);
        self.depth = depth + 1;
        for part in interpolation.format_spec.iter().flat_map(|format| &format.elements) {
            self.visit_interpolated_string_element(part);
        }
        self.depth = depth;
    }
}
