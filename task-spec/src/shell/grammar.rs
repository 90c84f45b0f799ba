//! What the scanner keeps track of: open blocks and heredocs, and what the next word may be.

/// Where a list of commands ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// At the end of the script.
    End,
    /// At the `)` that belongs to what was opened at this offset.
    Paren(usize),
}

/// A compound command that is open, and the offset of the word that opened it.
#[derive(Clone, Copy)]
pub(super) struct Open {
    pub(super) block: Block,
    pub(super) start: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    If,
    /// `for`, `while`, `until` or `select`, before its `do`.
    Loop,
    /// A loop after its `do`.
    Body,
    Case,
    Brace,
}

/// What the next word may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// The first word of a command: reserved words count.
    Command,
    /// A further word.
    Word,
    /// The variable of `for` or `select`.
    Variable,
    /// `in`, `do` or a separator, after the variable of a loop.
    LoopHead,
    /// The word that `case` looks at.
    Subject,
    /// The `in` of a `case`.
    In,
    /// A pattern of a `case`, or its `esac`.
    Pattern,
    /// `|` or `)`, after a pattern.
    PatternEnd,
    /// The name after `function`.
    FunctionName,
}

/// A heredoc whose body begins on the next line.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) delimiter: Vec<u8>,
    pub(super) is_quoted: bool,
    pub(super) strip_tabs: bool,
    pub(super) start: usize,
}

impl Opened {
    /// Whether this line closes it.
    pub(super) fn ends_at(&self, mut line: &[u8]) -> bool {
        while self.strip_tabs
            && let Some(stripped) = line.strip_prefix(b"\t")
        {
            line = stripped;
        }
        line == self.delimiter
    }
}

impl Block {
    /// The word that closes it. A loop needs its `do` first.
    pub(super) fn end(self) -> Option<&'static [u8]> {
        match self {
            Self::If => Some(b"fi"),
            Self::Loop => None,
            Self::Body => Some(b"done"),
            Self::Case => Some(b"esac"),
            Self::Brace => Some(b"}"),
        }
    }

    pub(super) fn unclosed(self) -> &'static str {
        match self {
            Self::If => "the `if` has no `fi`",
            Self::Loop => "the loop has no `do`",
            Self::Body => "the loop has no `done`",
            Self::Case => "the `case` has no `esac`",
            Self::Brace => "the `{` is not closed",
        }
    }
}

/// What is expected after the end of a line.
pub(super) fn after_separator(expect: Expect) -> Expect {
    match expect {
        Expect::In | Expect::Pattern | Expect::PatternEnd => expect,
        _ => Expect::Command,
    }
}

/// The delimiter of a heredoc without its quotes.
pub(super) fn unquote(word: &[u8]) -> Vec<u8> {
    let mut unquoted = Vec::with_capacity(word.len());
    let mut bytes = word.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\'' | b'"' => {}
            b'\\' => unquoted.extend(bytes.next()),
            _ => unquoted.push(byte),
        }
    }
    unquoted
}
