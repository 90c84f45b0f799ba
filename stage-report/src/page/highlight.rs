//! Source code with its comments, strings, numbers and keywords marked, line by line.
//!
//! Files of tasks are Python, shell, PowerShell, JSON and YAML. Four classes of tokens are enough to read them, and
//! need no grammar.

use super::text::push_html;

/// What a piece of source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Plain,
    Comment,
    Text,
    Number,
    Keyword,
}

impl Class {
    /// The class in the page's style, if it has one.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Comment => Some("c"),
            Self::Text => Some("s"),
            Self::Number => Some("n"),
            Self::Keyword => Some("k"),
        }
    }
}

/// How a language is written.
struct Language {
    keywords: &'static [&'static str],
    comments: bool,
    /// Whether a string may stand in three quotes.
    triple: bool,
    /// Whether a string may go on in the next line, and has no escapes in single quotes.
    shell_quotes: bool,
}

const PYTHON: Language = Language {
    keywords: &[
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
        "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in",
        "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    ],
    comments: true,
    triple: true,
    shell_quotes: false,
};

const SHELL: Language = Language {
    keywords: &[
        "case", "do", "done", "elif", "else", "esac", "exit", "export", "fi", "for", "foreach", "function",
        "if", "in", "local", "param", "return", "set", "source", "then", "try", "catch", "until", "while",
    ],
    comments: true,
    triple: false,
    shell_quotes: true,
};

const DATA: Language =
    Language { keywords: &["true", "false", "null"], comments: false, triple: false, shell_quotes: false };

/// The lines of a file as HTML.
pub(super) fn lines(name: &str, source: &str) -> Vec<String> {
    let language = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("py") => &PYTHON,
        Some("sh" | "ps1" | "bash") => &SHELL,
        Some("json" | "jsonl") => &DATA,
        Some("yaml" | "yml" | "toml") => &Language { comments: true, ..DATA },
        _ => return source.lines().map(plain).collect(),
    };
    let mut lines = vec![String::new()];
    let mut rest = source;
    let mut before = '\n';
    while !rest.is_empty() {
        let (class, length) = token(rest, before, language);
        let (token, after) = rest.split_at(length);
        push(&mut lines, token, class);
        before = token.chars().next_back().unwrap_or(before);
        rest = after;
    }
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    push_html(&mut out, line);
    out
}

/// Adds a token, which may go over several lines.
fn push(lines: &mut Vec<String>, token: &str, class: Class) {
    for (number, part) in token.split('\n').enumerate() {
        if number > 0 {
            lines.push(String::new());
        }
        let (Some(line), false) = (lines.last_mut(), part.is_empty()) else { continue };
        if let Some(name) = class.name() {
            line.push_str("<span class=\"");
            line.push_str(name);
            line.push_str("\">");
            push_html(line, part);
            line.push_str("</span>");
        } else {
            push_html(line, part);
        }
    }
}

/// The first token of `rest`, and its length in bytes. `before` is the character before it.
fn token(rest: &str, before: char, language: &Language) -> (Class, usize) {
    let Some(first) = rest.chars().next() else { return (Class::Plain, 0) };
    if first == '#' && language.comments && before.is_whitespace() {
        return (Class::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if first == '"' || first == '\'' {
        return (Class::Text, string(rest, first, language));
    }
    if first.is_ascii_digit() {
        let is_number = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
        return (Class::Number, rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
    }
    if first.is_alphabetic() || first == '_' {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let is_keyword = language.keywords.contains(&&rest[..end]) && before != '.' && before != '-';
        return (if is_keyword { Class::Keyword } else { Class::Plain }, end);
    }
    (Class::Plain, first.len_utf8())
}

/// The length of the string that `rest` starts with.
fn string(rest: &str, quote: char, language: &Language) -> usize {
    let triple = if quote == '"' { "\"\"\"" } else { "'''" };
    if language.triple && rest.starts_with(triple) {
        return rest[3..].find(triple).map_or(rest.len(), |end| end + 6);
    }
    let has_escapes = !language.shell_quotes || quote == '"';
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if has_escapes => is_escaped = true,
            '\n' if !language.shell_quotes => return at,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn tokens_are_marked_and_text_is_escaped() {
        let html = lines("v.py", "def f(): # <x>\n    return 'a\\'b' + \"\"\"c\nd\"\"\" + 1\n");
        assert_eq!(html.len(), 3);
        assert_eq!(html[0], "<span class=\"k\">def</span> f(): <span class=\"c\"># &lt;x&gt;</span>");
        assert!(html[1].contains("<span class=\"s\">&#x27;a\\&#x27;b&#x27;</span>"), "{}", html[1]);
        assert_eq!(html[2], "<span class=\"s\">d&quot;&quot;&quot;</span> + <span class=\"n\">1</span>");
    }

    #[test]
    fn an_open_string_and_odd_characters_end_with_the_file() {
        assert_eq!(
            lines("s.sh", "echo \"a\nb"),
            ["echo <span class=\"s\">&quot;a</span>", "<span class=\"s\">b</span>"]
        );
        assert_eq!(lines("s.sh", "é'\\"), ["é<span class=\"s\">&#x27;\\</span>"]);
        assert_eq!(lines("x.json", ""), Vec::<String>::new());
    }
}
