//! Follows the grammar of bash as far as it takes to know where each construct ends.
//!
//! After the Bash Reference Manual, 3.1 to 3.6.

use std::ops::Range;

use memchr::memchr;

use super::grammar::{Block, Expect, Open, Opened, Until, after_separator, unquote};
use super::{Heredoc, ShellError};

/// How deeply substitutions may be nested. Scripts that people write use three or four levels.
const MAX_DEPTH: u32 = 100;

/// How often a `((` may turn out to begin two subshells, and is read again as such. Without a limit, a
/// script could make that exponentially slow.
const MAX_MISREAD: u32 = 100;

/// Bytes that are part of a word and nothing else, wherever they stand.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let special = b" \t\r\n;&|<>()'\"\\$`";
    let mut index = 0;
    while index < special.len() {
        plain[special[index] as usize] = false;
        index += 1;
    }
    plain
};

/// Scans a script once, from its start to its end or to the first error.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
    /// How often `((` turned out not to begin an expression.
    misread: u32,
    opened: Vec<Opened>,
    found: Vec<Heredoc>,
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of a script.
    pub(super) fn new(script: &'a str) -> Self {
        let text = script.as_bytes();
        Self { text, at: 0, depth: 0, misread: 0, opened: Vec::new(), found: Vec::new() }
    }

    /// Scans the whole script.
    pub(super) fn script(&mut self) -> Result<(), ShellError> {
        self.commands(Until::End)
    }

    /// The heredocs found so far, in the order of their bodies.
    pub(super) fn into_heredocs(self) -> Vec<Heredoc> {
        self.found
    }

    /// Scans commands up to their end, which is consumed.
    fn commands(&mut self, until: Until) -> Result<(), ShellError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(self.at, "nested too deeply"));
        }
        let outer = std::mem::take(&mut self.opened);
        let mut open: Vec<Open> = Vec::new();
        let mut expect = Expect::Command;
        loop {
            let start = self.at;
            let Some(byte) = self.peek() else { break };
            match byte {
                b' ' | b'\t' | b'\r' => self.skip_blanks(),
                b'\\' if self.peek_at(1) == Some(b'\n') => self.at += 2,
                b'\n' => {
                    self.at += 1;
                    self.heredoc_bodies()?;
                    expect = after_separator(expect);
                }
                b'#' => self.skip_line(),
                b';' | b'&' | b'|' => expect = self.operator(expect, &open),
                b'<' | b'>' => self.redirection()?,
                b'(' if expect == Expect::Pattern => self.at += 1,
                b'(' => expect = self.open_paren(expect)?,
                b')' if matches!(expect, Expect::Pattern | Expect::PatternEnd) => {
                    self.at += 1;
                    expect = Expect::Command;
                }
                b')' => match until {
                    Until::Paren(_) => break,
                    Until::End => return Err(self.error(start, "a `)` that closes nothing")),
                },
                _ => {
                    let literal = self.word()?;
                    expect = self.after_word(start, literal, expect, &mut open)?;
                }
            }
        }
        if let Some(open) = open.last() {
            return Err(self.error(open.start, open.block.unclosed()));
        }
        match until {
            Until::Paren(start) if self.peek().is_none() => {
                return Err(self.error(start, "the `(` is not closed"));
            }
            Until::Paren(_) => self.at += 1,
            Until::End => {}
        }
        if until == Until::End
            && let Some(heredoc) = self.opened.first()
        {
            return Err(self.unclosed_heredoc(heredoc));
        }
        // Bodies of heredocs that were opened inside a substitution may follow the line that closes it.
        let inner = std::mem::replace(&mut self.opened, outer);
        self.opened.extend(inner);
        self.depth -= 1;
        Ok(())
    }

    /// What is expected after a word, which `literal` says is free of quotes and expansions.
    fn after_word(
        &mut self,
        start: usize,
        literal: bool,
        expect: Expect,
        open: &mut Vec<Open>,
    ) -> Result<Expect, ShellError> {
        let word = if literal { &self.text[start..self.at] } else { b"" };
        Ok(match expect {
            Expect::Command => return self.command_word(start, literal, open),
            Expect::Variable => Expect::LoopHead,
            Expect::LoopHead if word == b"do" => return self.command_word(start, literal, open),
            Expect::Word | Expect::LoopHead => Expect::Word,
            Expect::Subject => Expect::In,
            Expect::In => Expect::Pattern,
            Expect::Pattern if word == b"esac" => return self.command_word(start, literal, open),
            Expect::Pattern | Expect::PatternEnd => Expect::PatternEnd,
            Expect::FunctionName => Expect::Command,
        })
    }

    /// Handles the first word of a command, which may be a reserved one.
    fn command_word(
        &mut self,
        start: usize,
        literal: bool,
        open: &mut Vec<Open>,
    ) -> Result<Expect, ShellError> {
        if !literal {
            return Ok(Expect::Word);
        }
        let top = open.last().map(|open| open.block);
        let mut push = |block| open.push(Open { block, start });
        match &self.text[start..self.at] {
            b"if" => push(Block::If),
            b"while" | b"until" => push(Block::Loop),
            b"for" | b"select" => {
                push(Block::Loop);
                return Ok(Expect::Variable);
            }
            b"case" => {
                push(Block::Case);
                return Ok(Expect::Subject);
            }
            b"{" => {
                // `for x in a b; { …; }` is a loop, too.
                if top == Some(Block::Loop) {
                    open.pop();
                }
                open.push(Open { block: Block::Brace, start });
            }
            b"then" | b"elif" | b"else" if top == Some(Block::If) => {}
            b"do" if top == Some(Block::Loop) => {
                if let Some(open) = open.last_mut() {
                    open.block = Block::Body;
                }
            }
            word if Some(word) == top.and_then(Block::end) => {
                open.pop();
            }
            b"!" | b"time" | b"coproc" => {}
            b"function" => return Ok(Expect::FunctionName),
            b"[[" => {
                self.condition(start)?;
                return Ok(Expect::Word);
            }
            word @ (b"then" | b"elif" | b"else" | b"fi" | b"do" | b"done" | b"esac" | b"}") => {
                let word = String::from_utf8_lossy(word).into_owned();
                let inside = open.last().map_or(String::new(), |open| format!(": {}", open.block.unclosed()));
                return Err(self.error(start, &format!("a `{word}` that closes nothing{inside}")));
            }
            _ => return Ok(Expect::Word),
        }
        Ok(Expect::Command)
    }

    /// Scans `;`, `&`, `|` and the operators that begin with them.
    fn operator(&mut self, expect: Expect, open: &[Open]) -> Expect {
        let rest = &self.text[self.at..];
        let in_case = open.last().is_some_and(|open| open.block == Block::Case);
        for end in [&b";;&"[..], b";;", b";&"] {
            if rest.starts_with(end) {
                self.at += end.len();
                return if in_case { Expect::Pattern } else { Expect::Command };
            }
        }
        self.at += 1;
        match rest {
            // `&>` and `>&` are redirections, `a|b` in a pattern is a choice.
            [b'&', b'>', ..] => expect,
            [b'|', ..] if expect == Expect::PatternEnd => Expect::Pattern,
            _ => Expect::Command,
        }
    }

    /// Scans a redirection's operator, and a heredoc's delimiter with it.
    fn redirection(&mut self) -> Result<(), ShellError> {
        let start = self.at;
        let rest = &self.text[self.at..];
        if rest.starts_with(b"<(") || rest.starts_with(b">(") {
            self.at += 2;
            return self.commands(Until::Paren(start));
        }
        if rest.starts_with(b"<<<") {
            self.at += 3;
            return Ok(());
        }
        if !rest.starts_with(b"<<") {
            self.at += 1;
            // `>&2`, `>|file`: what follows belongs to the operator.
            if matches!(self.peek(), Some(b'&' | b'|')) {
                self.at += 1;
            }
            return Ok(());
        }
        self.at += 2;
        let strip_tabs = self.peek() == Some(b'-');
        self.at += usize::from(strip_tabs);
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let word = self.at;
        if self.peek().is_none_or(|byte| b"\n;&|<>()".contains(&byte)) {
            return Err(self.error(start, "the heredoc has no delimiter"));
        }
        self.word()?;
        let word = &self.text[word..self.at];
        let delimiter = unquote(word);
        let is_quoted = delimiter.len() < word.len();
        self.opened.push(Opened { delimiter, is_quoted, strip_tabs, start });
        Ok(())
    }

    /// Skips the bodies of the heredocs that were opened on the line before.
    fn heredoc_bodies(&mut self) -> Result<(), ShellError> {
        for heredoc in std::mem::take(&mut self.opened) {
            self.heredoc_body(&heredoc)?;
        }
        Ok(())
    }

    fn heredoc_body(&mut self, heredoc: &Opened) -> Result<(), ShellError> {
        let start = self.at;
        while self.at < self.text.len() {
            let line_start = self.at;
            let rest = &self.text[line_start..];
            let length = memchr(b'\n', rest).unwrap_or(rest.len());
            self.at += (length + 1).min(rest.len());
            if heredoc.ends_at(&rest[..length]) {
                self.record(heredoc, start..line_start, true);
                return Ok(());
            }
        }
        self.record(heredoc, start..self.at, false);
        Err(self.unclosed_heredoc(heredoc))
    }

    fn record(&mut self, heredoc: &Opened, body: Range<usize>, is_closed: bool) {
        let Opened { start: operator, is_quoted, .. } = *heredoc;
        self.found.push(Heredoc { operator, is_quoted, body, end: self.at, is_closed });
    }

    /// Scans a `(` where a command or an argument may stand.
    fn open_paren(&mut self, expect: Expect) -> Result<Expect, ShellError> {
        let start = self.at;
        let rest = &self.text[self.at..];
        if rest.starts_with(b"((")
            && matches!(expect, Expect::Command | Expect::Variable)
            && self.arithmetic(start + 2)
        {
            return Ok(if expect == Expect::Variable { Expect::LoopHead } else { Expect::Command });
        }
        let blank = rest.iter().skip(1).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if expect == Expect::Word && rest.get(1 + blank) == Some(&b')') {
            // The parentheses of a function's definition.
            self.at += 2 + blank;
            return Ok(Expect::Command);
        }
        self.at += 1;
        self.commands(Until::Paren(start))?;
        Ok(Expect::Command)
    }

    /// Tries to scan an arithmetic expression from `from` on, up to its `))`. `((` may also begin two
    /// subshells: then nothing is consumed.
    fn arithmetic(&mut self, from: usize) -> bool {
        if self.misread >= MAX_MISREAD || self.depth >= MAX_DEPTH {
            return false;
        }
        let before = (self.at, self.depth, self.opened.clone(), self.found.len());
        self.depth += 1;
        self.at = from;
        let mut parens = 0_u32;
        while let Some(byte) = self.peek() {
            let scanned = match byte {
                b')' if parens == 0 && self.peek_at(1) == Some(b')') => {
                    self.at += 2;
                    self.depth -= 1;
                    return true;
                }
                b'(' => {
                    parens += 1;
                    self.skip(1)
                }
                b')' if parens == 0 => break,
                b')' => {
                    parens -= 1;
                    self.skip(1)
                }
                b'\\' => self.skip(2),
                b'"' => self.double_quoted(),
                b'\'' => self.single_quoted(),
                b'`' => self.backquoted(),
                b'$' => self.dollar(true),
                _ => self.skip(1),
            };
            if scanned.is_err() {
                break;
            }
        }
        let found;
        (self.at, self.depth, self.opened, found) = before;
        self.found.truncate(found);
        self.misread += 1;
        false
    }

    /// Scans `[[ … ]]` after its opening.
    fn condition(&mut self, start: usize) -> Result<(), ShellError> {
        loop {
            match self.peek() {
                None => return Err(self.error(start, "the `[[` is not closed")),
                Some(b']') if self.text[self.at..].starts_with(b"]]") && self.at_word_start() => {
                    self.at += 2;
                    return Ok(());
                }
                Some(byte) => self.word_part(byte)?,
            }
        }
    }

    fn at_word_start(&self) -> bool {
        self.at.checked_sub(1).is_some_and(|before| self.text[before].is_ascii_whitespace())
    }

    /// Scans a word. Says whether it is free of quotes and expansions, so that it may be a reserved one.
    fn word(&mut self) -> Result<bool, ShellError> {
        let start = self.at;
        let mut literal = true;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b')' => break,
                b'(' => match self.at.checked_sub(1).map(|before| self.text[before]) {
                    // An array, or an extended pattern: words in parentheses.
                    Some(b'=' | b'@' | b'?' | b'!' | b'+' | b'*') if self.at > start => self.array()?,
                    _ => break,
                },
                b'\'' | b'"' | b'\\' | b'$' | b'`' => {
                    literal = false;
                    self.word_part(byte)?;
                }
                _ => self.skip_plain(),
            }
        }
        if self.at == start {
            self.at += 1;
        }
        Ok(literal)
    }

    /// Scans one character of a word, or the quotation or expansion that begins with it.
    fn word_part(&mut self, byte: u8) -> Result<(), ShellError> {
        match byte {
            b'\\' => self.skip(2),
            b'\'' => self.single_quoted(),
            b'"' => self.double_quoted(),
            b'`' => self.backquoted(),
            b'$' => self.dollar(false),
            _ => self.skip(1),
        }
    }

    /// Scans `(words)`: the elements of an array, or the choices of an extended pattern.
    fn array(&mut self) -> Result<(), ShellError> {
        let start = self.at;
        self.at += 1;
        let mut parens = 1_u32;
        while let Some(byte) = self.peek() {
            match byte {
                b'(' => {
                    parens += 1;
                    self.at += 1;
                }
                b')' => {
                    parens -= 1;
                    self.at += 1;
                    if parens == 0 {
                        return Ok(());
                    }
                }
                b'#' if self.at_word_start() => self.skip_line(),
                _ => self.word_part(byte)?,
            }
        }
        Err(self.error(start, "the `(` is not closed"))
    }

    fn single_quoted(&mut self) -> Result<(), ShellError> {
        let start = self.at;
        let rest = &self.text[start + 1..];
        match memchr(b'\'', rest) {
            Some(end) => self.skip(end + 2),
            None => Err(self.error(start, "the `'` is not closed")),
        }
    }

    /// Scans `$'…'` from its quote on: a backslash escapes.
    fn escaped_single_quoted(&mut self) -> Result<(), ShellError> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => self.skip(2)?,
                b'\'' => return self.skip(1),
                _ => self.at += 1,
            }
        }
        Err(self.error(start, "the `$'` is not closed"))
    }

    fn double_quoted(&mut self) -> Result<(), ShellError> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => return self.skip(1),
                b'\\' => self.skip(2)?,
                b'`' => self.backquoted()?,
                b'$' => self.dollar(true)?,
                _ => self.skip_plain(),
            }
        }
        Err(self.error(start, "the `\"` is not closed"))
    }

    fn backquoted(&mut self) -> Result<(), ShellError> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => self.skip(2)?,
                b'`' => return self.skip(1),
                _ => self.at += 1,
            }
        }
        Err(self.error(start, "the backquote is not closed"))
    }

    /// Scans a `$` and the expansion that it begins, if it begins one.
    fn dollar(&mut self, in_double_quotes: bool) -> Result<(), ShellError> {
        let start = self.at;
        match &self.text[start + 1..] {
            [b'(', b'(', ..] if self.arithmetic(start + 3) => Ok(()),
            [b'(', ..] => {
                self.at += 2;
                self.commands(Until::Paren(start))
            }
            [b'{', ..] => self.parameter(in_double_quotes),
            [b'\'', ..] if !in_double_quotes => {
                self.at += 1;
                self.escaped_single_quoted()
            }
            // `$$`, `$#`: the second character starts nothing.
            [b'$' | b'#', ..] => self.skip(2),
            _ => self.skip(1),
        }
    }

    /// Scans `${…}`.
    fn parameter(&mut self, in_double_quotes: bool) -> Result<(), ShellError> {
        let start = self.at;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(start, "nested too deeply"));
        }
        self.at += 2;
        let name = |byte: &u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'!' | b'[' | b']' | b'@' | b'*')
        };
        let name_len = self.text[self.at.min(self.text.len())..].iter().take_while(|byte| name(byte)).count();
        let operator = self.text.get(self.at + name_len);
        // Between double quotes a single quote is a character like any other, but not in a pattern.
        let quotes = !in_double_quotes || matches!(operator, Some(b'%' | b'#' | b'/' | b'^' | b','));
        while let Some(byte) = self.peek() {
            match byte {
                b'}' => {
                    self.depth -= 1;
                    return self.skip(1);
                }
                b'\'' if !quotes => self.at += 1,
                b'$' => self.dollar(in_double_quotes)?,
                _ => self.word_part(byte)?,
            }
        }
        Err(self.error(start, "the `${` is not closed"))
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += memchr(b'\n', rest).unwrap_or(rest.len());
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    }

    /// Skips a byte and the plain ones after it.
    fn skip_plain(&mut self) {
        let plain = self.text[self.at + 1..].iter().take_while(|&&byte| PLAIN[usize::from(byte)]);
        self.at += 1 + plain.count();
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is one of many ways to scan, and the others can fail")]
    fn skip(&mut self, count: usize) -> Result<(), ShellError> {
        self.at = (self.at + count).min(self.text.len());
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn error(&self, at: usize, what: &str) -> ShellError {
        let before = &self.text[..at.min(self.text.len())];
        let line = before.split(|&byte| byte == b'\n').count();
        ShellError { line, what: what.to_owned() }
    }

    fn unclosed_heredoc(&self, heredoc: &Opened) -> ShellError {
        let delimiter = String::from_utf8_lossy(&heredoc.delimiter);
        self.error(heredoc.start, &format!("the heredoc is not closed: no line `{delimiter}`"))
    }
}
