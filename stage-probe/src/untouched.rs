//! What `export_result.sh` writes when nothing was done, derived from its text.
//!
//! The scripts of the corpus collect their findings in shell variables, which are `false`, `0` or empty at the
//! start, and put them into a JSON template, or into a few lines of Python that dump a dictionary. So the result
//! of the untouched state follows without running anything: each flag is false, each count is zero, each
//! command printed nothing. Scripts of any other form are ignored.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use sandbox::File;
use serde_json::Value;
use task_spec::pattern::compile;
use task_spec::shell::heredocs;

/// The longest script that is analysed, in bytes: three times the longest of the corpus.
const MAX_SCRIPT: usize = 128 << 10;

/// The files that the script writes, by path, as far as they can be derived.
pub(crate) fn results(script: &str) -> BTreeMap<String, File> {
    if script.len() > MAX_SCRIPT {
        return BTreeMap::new();
    }
    let variables = Variables::of(script);
    let mut written = BTreeMap::new();
    for document in documents(script) {
        let Some((paths, file)) = document.result(&variables) else { continue };
        for path in moved(script, paths, &variables) {
            written.insert(path, file.clone());
        }
    }
    written
}

/// Values of a variable for something that was not found.
const NOTHING: [&str; 5] = ["", "0", "false", "False", "\"\""];

/// The values of shell variables when nothing is found, as far as they are constant.
struct Variables(BTreeMap<String, String>);

static ASSIGNMENT: LazyLock<Regex> =
    LazyLock::new(|| compile(r"(?m)^([ \t]*)(?:export |local |declare -\w+ )?([A-Za-z_]\w*)=(.*)$"));
static PLAIN: LazyLock<Regex> =
    LazyLock::new(|| compile(r#"^(?:"([^"$`\\]*)"|'([^']*)'|([^\s"'$`\\;&|()]*))(?:\s*(?:;|#|&&).*)?\s*$"#));
static FALLBACK: LazyLock<Regex> =
    LazyLock::new(|| compile(r#"\|\|\s*(?:echo|printf)\s+(?:"([^"$`]*)"|'([^']*)'|([^\s"'$`)]+))\s*\)"#));
static COUNTED: LazyLock<Regex> = LazyLock::new(|| {
    compile(r"wc -[lcw]|grep -\w*c|date \+%s|stat -c\s*'?%[sYWX]|\$\(\(|COUNT\(|md5|\blen\(|du -")
});
static QUOTED: LazyLock<Regex> = LazyLock::new(|| compile(r"jq\b[^|]* -\w*[Rs]|json\.dumps"));

impl Variables {
    fn of(script: &str) -> Self {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for found in ASSIGNMENT.captures_iter(script) {
            let (Some(indent), Some(name), Some(value)) = (found.get(1), found.get(2), found.get(3)) else {
                continue;
            };
            let Some(value) = plain(value.as_str()).or_else(|| printed(value.as_str())) else { continue };
            // An assignment in a branch does not count, unless its value stands for nothing found.
            if NOTHING.contains(&value.as_str()) {
                values.insert(name.as_str().to_owned(), value);
            } else if indent.is_empty() {
                values.entry(name.as_str().to_owned()).or_insert(value);
            }
        }
        Self(values)
    }

    /// The value of `$name`, `${name}` or `${name:-default}`.
    fn value(&self, expansion: &str) -> Option<String> {
        let name = expansion.trim_start_matches('$').trim_start_matches('{').trim_end_matches('}');
        let (name, default) = match name.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (name, None),
        };
        let known = self.0.get(name).filter(|value| !value.is_empty());
        known.or(self.0.get(name).filter(|_| default.is_none())).cloned().or(default.and_then(plain))
    }

    /// The path that a word of a command stands for.
    fn path(&self, word: &str) -> Option<String> {
        let word = word.trim_matches(['"', '\'']);
        let path = if word.starts_with('$') { self.value(word)? } else { word.to_owned() };
        (path.starts_with('/') && !path.contains('$')).then_some(path)
    }
}

/// The value of a word without expansions, quoted or not.
fn plain(word: &str) -> Option<String> {
    let found = PLAIN.captures(word)?;
    let value = found.get(1).or(found.get(2)).or(found.get(3))?;
    Some(value.as_str().to_owned())
}

/// What a command substitution prints when there is nothing to find, if that can be derived.
fn printed(command: &str) -> Option<String> {
    if QUOTED.is_match(command) {
        return Some("\"\"".to_owned());
    }
    if let Some(found) = FALLBACK.captures_iter(command).last() {
        let value = found.get(1).or(found.get(2)).or(found.get(3))?;
        return Some(value.as_str().to_owned());
    }
    COUNTED.is_match(command).then(|| "0".to_owned())
}

/// A document inside a script.
struct Document<'a> {
    /// The line of its command.
    command: &'a str,
    /// Whether the shell expands nothing in it.
    verbatim: bool,
    body: &'a str,
}

static PROGRAM: LazyLock<Regex> = LazyLock::new(|| compile(r#"\.py"?$"#));
static TARGET: LazyLock<Regex> = LazyLock::new(|| compile(r#">\s*("[^"]+"|'[^']+'|[^\s<>&;|]+)"#));
static PYTHON_TARGET: LazyLock<Regex> =
    LazyLock::new(|| compile(r#"open\(\s*(?:['"]([^'"]+)['"]|(\w+))\s*,\s*(?:mode\s*=\s*)?['"]w"#));
static PYTHON_ASSIGNMENT: LazyLock<Regex> =
    LazyLock::new(|| compile(r#"(?m)^\s*(\w+)\s*=\s*['"]([^'"\n]+)['"]"#));
static PYTHON_MOVE: LazyLock<Regex> =
    LazyLock::new(|| compile(r#"\b(?:move|replace|rename|copy\w*)\(\s*\w+\s*,\s*['"](/[^'"]+\.json)['"]"#));

fn documents(script: &str) -> Vec<Document<'_>> {
    let closed = heredocs(script).into_iter().filter(|heredoc| heredoc.is_closed);
    closed
        .map(|heredoc| Document {
            command: heredoc.command(script),
            verbatim: heredoc.is_quoted,
            body: heredoc.body(script),
        })
        .collect()
}

impl Document<'_> {
    /// The result that it writes, and where, if it is one.
    fn result(&self, variables: &Variables) -> Option<(Vec<Target>, File)> {
        let redirected = TARGET.captures(self.command).and_then(|found| Some(found.get(1)?.as_str()));
        let saved_program = redirected.is_some_and(|target| PROGRAM.is_match(target));
        let python = self.command.contains("python") || saved_program;
        let syntax = if python { Syntax::Python } else { Syntax::Json };
        if !python && !self.body.trim_start().starts_with('{') {
            return None;
        }
        let body = if self.verbatim { self.body.to_owned() } else { expand(self.body, syntax, variables)? };
        if python {
            let mut targets = python_targets(&body);
            if targets.is_empty() && !saved_program {
                targets.extend(redirected.map(|target| Target::of(target, variables)));
            }
            return (body.contains("dump") && !targets.is_empty()).then_some((targets, File::Python(body)));
        }
        serde_json::from_str::<Value>(&body).ok().filter(Value::is_object)?;
        Some((vec![Target::of(redirected?, variables)], File::Text(body)))
    }
}

/// Where a document is written: to a path, or to an unknown path in a variable.
enum Target {
    Path(String),
    Variable(String),
}

impl Target {
    fn of(word: &str, variables: &Variables) -> Self {
        match variables.path(word) {
            Some(path) => Self::Path(path),
            None => Self::Variable(word.trim_matches('"').to_owned()),
        }
    }
}

/// The files that a Python program opens for writing.
fn python_targets(source: &str) -> Vec<Target> {
    let mut targets = Vec::new();
    for found in PYTHON_MOVE.captures_iter(source) {
        targets.extend(found.get(1).map(|path| Target::Path(path.as_str().to_owned())));
    }
    for found in PYTHON_TARGET.captures_iter(source) {
        let path = found.get(1).map(|path| path.as_str().to_owned()).or_else(|| {
            let name = found.get(2)?.as_str();
            let assigned = PYTHON_ASSIGNMENT.captures_iter(source).find(|assigned| &assigned[1] == name)?;
            Some(assigned[2].to_owned())
        });
        targets.extend(path.filter(|path| path.starts_with('/')).map(Target::Path));
    }
    targets
}

static MOVE: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r#"\b(?:cp|mv|install)((?:\s+-\w+)*)\s+("[^"]+"|'[^']+'|[^\s;&|]+)\s+("[^"]+"|'[^']+'|[^\s;&|]+)"#,
    )
});

/// The absolute paths of the files in `targets` after the script moved or copied them.
fn moved(script: &str, targets: Vec<Target>, variables: &Variables) -> Vec<String> {
    let mut paths = Vec::new();
    let mut from_variables = Vec::new();
    for target in targets {
        match target {
            Target::Path(path) => paths.push(path),
            Target::Variable(name) => from_variables.push(name),
        }
    }
    for found in MOVE.captures_iter(script) {
        let (Some(from), Some(to)) = (found.get(2), found.get(3)) else { continue };
        let Some(to) = variables.path(to.as_str()) else { continue };
        let from = from.as_str();
        let same = from_variables.iter().any(|name| name == from.trim_matches('"'))
            || variables.path(from).is_some_and(|from| paths.contains(&from));
        if same && !paths.contains(&to) {
            paths.push(to);
        }
    }
    paths
}

/// The language of a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Json,
    Python,
}

/// Replaces variables and commands in a document by their values, as the shell does. None if a required value
/// is unknown.
fn expand(text: &str, syntax: Syntax, variables: &Variables) -> Option<String> {
    let mut expanded = String::with_capacity(text.len());
    let mut string: Option<char> = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = expansion_length(rest)?;
        if length > 0 {
            let (expansion, after) = rest.split_at(length);
            expanded.push_str(&value_of(expansion, string, syntax, &expanded, variables)?);
            rest = after;
            continue;
        }
        let step =
            if c == '\\' { 1 + rest[1..].chars().next().map_or(0, char::len_utf8) } else { c.len_utf8() };
        let (piece, after) = rest.split_at(step);
        // The shell removes the backslash that escapes a dollar sign.
        expanded.push_str(if piece == "\\$" || piece == "\\`" { &piece[1..] } else { piece });
        match string {
            Some(quote) if c == quote || c == '\n' => string = None,
            None if c == '"' || (c == '\'' && syntax == Syntax::Python) => string = Some(c),
            _ => {}
        }
        rest = after;
    }
    Some(expanded)
}

/// The length of the expansion at the start of a text: `$name`, `${…}`, `$(…)`, `` `…` ``. Zero if there is
/// none, None if it does not end.
fn expansion_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.get(1)) {
        (Some(b'`'), _) => text[1..].find('`').map(|end| end + 2),
        (Some(b'$'), Some(b'{')) => text.find('}').map(|end| end + 1),
        (Some(b'$'), Some(b'(')) => closing_parenthesis(text).map(|end| end + 1),
        (Some(b'$'), Some(next)) if next.is_ascii_alphabetic() || *next == b'_' => {
            let name = text[1..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            Some(1 + name.count())
        }
        _ => Some(0),
    }
}

/// Where the first parenthesis is closed. Parentheses in quotes do not count.
fn closing_parenthesis(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut single_quoted = false;
    let mut bytes = text.bytes().enumerate();
    while let Some((position, byte)) = bytes.next() {
        match byte {
            b'\\' if !single_quoted => {
                bytes.next();
            }
            b'\'' => single_quoted = !single_quoted,
            b'(' if !single_quoted => depth += 1,
            b')' if !single_quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(position);
                }
            }
            _ => {}
        }
    }
    None
}

/// The replacement for an expansion in a document.
fn value_of(
    expansion: &str,
    string: Option<char>,
    syntax: Syntax,
    before: &str,
    variables: &Variables,
) -> Option<String> {
    let is_command = expansion.starts_with("$(") || expansion.starts_with('`');
    let value = if is_command { printed(expansion) } else { variables.value(expansion) };
    if string.is_some() {
        // A value that already has quotes, and is put into quotes again.
        let value = value.filter(|value| value != "\"\"").unwrap_or_default();
        let escaped = Value::String(value).to_string();
        return Some(escaped[1..escaped.len() - 1].to_owned());
    }
    match value {
        Some(value) if serde_json::from_str::<Value>(&value).is_ok() => {
            Some(match (syntax, value.as_str()) {
                (Syntax::Python, "true") => "True".to_owned(),
                (Syntax::Python, "false") => "False".to_owned(),
                (Syntax::Python, "null") => "None".to_owned(),
                _ => value,
            })
        }
        Some(value) if syntax == Syntax::Python && ["True", "False", "None"].contains(&value.as_str()) => {
            Some(value)
        }
        _ => by_key(before, syntax).map(str::to_owned),
    }
}

static KEY: LazyLock<Regex> = LazyLock::new(|| compile(r#"["'](\w+)["']\s*:\s*$"#));
static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"^(is|has|was|did)_|(exists|found|running|valid|created|modified|present|enabled|saved|success|changed|match|matches)(_|$)|_during_task$",
    )
});
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"(^|_)(count|counts|size|total|num|number|time|timestamp|mtime|start|started|end|ended|lines|rows|bytes|duration|epoch|elapsed|seconds|length)(_|$)",
    )
});

/// How far back a key is searched, in characters.
const LONGEST_KEY: usize = 100;

/// False or zero, derived from the key of a value alone.
fn by_key(before: &str, syntax: Syntax) -> Option<&'static str> {
    let start = before.char_indices().rev().nth(LONGEST_KEY).map_or(0, |(start, _)| start);
    let found = KEY.captures(before.get(start..)?)?;
    let key = found.get(1)?.as_str().to_ascii_lowercase();
    if NUMBER.is_match(&key) {
        return Some("0");
    }
    FLAG.is_match(&key).then_some(if syntax == Syntax::Json { "false" } else { "False" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_script_can_be_analysed(
            pieces in prop::collection::vec(
                prop_oneof![
                    Just("cat > /tmp/a.json << EOF\n{\n"), Just("\nEOF\n"), Just("python3 << 'EOF'\n"), Just("$("),
                    Just("${"), Just("`"), Just("\\"), Just("'"), Just("\""), Just(")"), Just("}"), Just("$A"), Just("A="),
                    Just("\"k\": "), Just("|| echo 0"), Just("cp $A /tmp/b\n"), Just("ä\n"), Just("open(x, 'w')"),
                ],
                0..60,
            )
        ) {
            let script: String = pieces.concat();
            for (path, file) in results(&script) {
                prop_assert!(path.starts_with('/'));
                if let File::Text(text) = file {
                    prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
                }
            }
        }

        #[test]
        fn an_expansion_ends_within_the_text(text in "[$({`)}'\"\\\\aä]{0,40}") {
            if let Some(length) = expansion_length(&text) {
                prop_assert!(text.is_char_boundary(length));
            }
        }
    }

    #[test]
    fn all_patterns_compile() {
        let patterns = [
            &ASSIGNMENT,
            &PLAIN,
            &FALLBACK,
            &COUNTED,
            &QUOTED,
            &PROGRAM,
            &TARGET,
            &PYTHON_TARGET,
            &PYTHON_ASSIGNMENT,
            &PYTHON_MOVE,
            &MOVE,
            &KEY,
            &FLAG,
            &NUMBER,
        ];
        assert!(patterns.iter().all(|pattern| !pattern.as_str().is_empty()));
    }

    #[test]
    fn a_name_of_any_length_is_looked_up() {
        let name = "a".repeat(1 << 20);
        let source = format!("other = '/tmp/b'\n{name} = '/tmp/a'\nopen({name}, 'w')\n");
        assert!(matches!(&python_targets(&source)[..], [Target::Path(path)] if path == "/tmp/a"));
    }

    #[track_caller]
    fn check(script: &str, expected: &[&str]) {
        let found = results(script);
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{script}");
    }

    #[test]
    fn paths_of_moved_results_are_found() {
        let body = "{ \"a\": 1 }\nEOF\n";
        check(&format!("cat > /tmp/r.json << EOF\n{body}"), &["/tmp/r.json"]);
        check(&format!("R=/tmp/r.json\ncat > \"$R\" <<EOF\n{body}"), &["/tmp/r.json"]);
        check(&format!("T=$(mktemp)\ncat > $T << 'EOF'\n{body}mv $T /tmp/r.json\n"), &["/tmp/r.json"]);
        check(
            &format!("cat << EOF > /tmp/r.json\n{body}cp -f /tmp/r.json /tmp/s.json\n"),
            &["/tmp/r.json", "/tmp/s.json"],
        );
        check(&format!("cat << EOF\n{body}"), &[]);
        check(&format!("cat > \"$UNKNOWN\" << EOF\n{body}"), &[]);
    }
}
