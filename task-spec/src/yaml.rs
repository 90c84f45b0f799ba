//! YAML as PyYAML's `safe_load` reads it.
//!
//! PyYAML reads YAML 1.1, in which `yes`, `on` and `12:30` are not strings and `010` is eight; no crate does.
//! `saphyr_parser` parses the syntax, and this module applies the rules of PyYAML's resolver and constructor to
//! its events. The remaining differences do not occur in specs: line breaks of Unicode,
//! anchors defined twice, a document that contains itself.

use std::collections::HashMap;
use std::sync::LazyLock;

use indexmap::IndexMap;
use regex::Regex;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::pattern::compile;
use crate::value::{Map, Value};

/// Levels that PyYAML composes before it runs into Python's recursion limit, measured with gym-anything's
/// command line on Python 3.11. (Brackets and braces end at 255 levels already, in the parser.)
const MAX_LEVELS: usize = 490;

/// Values that a document may have once its aliases are followed. More is a bomb.
const MAX_VALUES: usize = 1_000_000;

const STANDARD: &str = "tag:yaml.org,2002:";

/// Why a text is not YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// The syntax is wrong.
    #[error("{message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong and where, in a few words.
        message: String,
    },
    /// The document means nothing that Python has a value for.
    #[error("{0}")]
    Meaning(String),
}

impl YamlError {
    /// The line, from 1, where it is known.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Syntax { line, .. } => Some(*line),
            Self::Meaning(_) => None,
        }
    }
}

/// Parses a text that holds at most one document; none is `null`.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    if let Some((at, character)) = text.char_indices().find(|&(_, character)| !printable(character)) {
        let code = u32::from(character);
        let line = 1 + text.get(..at).unwrap_or_default().matches('\n').count();
        let message = format!("the character U+{code:04X} is not allowed in YAML");
        return Err(YamlError::Syntax { line, message });
    }
    if let Some(line) = end_before_any_document(text) {
        return Err(YamlError::Syntax { line, message: "'...' before any document".to_owned() });
    }
    let mut composer = Composer::default();
    let mut root = composer.document(text);
    if matches!(root, Err(YamlError::Syntax { .. }))
        && let Some(text) = with_stand_ins(text)
    {
        composer = Composer::default();
        root = composer.document(&text);
    }
    let root = root?;
    let mut constructor = Constructor { nodes: composer.nodes, values: 0 };
    root.map_or(Ok(Value::Null), |root| constructor.value(root, 0))
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Half of a surrogate pair as an escape.
static SURROGATE: LazyLock<Regex> = LazyLock::new(|| compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"));

/// A text in which U+FFFD stands for what PyYAML takes and the parser does not: byte order marks beyond the
/// beginning, and halves of a surrogate pair, as JSON writes them, which no text in Rust can hold. Nothing if
/// there is neither.
fn with_stand_ins(text: &str) -> Option<String> {
    let rest = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let other = SURROGATE.replace_all(rest, r"\ufffd").replace(BYTE_ORDER_MARK, "\u{fffd}");
    (other != rest).then_some(other)
}

/// The line, from 1, that ends a document before any content.
fn end_before_any_document(text: &str) -> Option<usize> {
    let mut lines = text.lines().zip(1..);
    let (line, number) =
        lines.find(|(line, _)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
    let rest = line.strip_prefix("...")?;
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some(number)
}

/// What PyYAML's reader lets through.
fn printable(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}'
    )
}

fn syntax(error: &ScanError) -> YamlError {
    YamlError::Syntax { line: error.marker().line(), message: error.to_string() }
}

fn meaning<T>(message: impl Into<String>) -> Result<T, YamlError> {
    Err(YamlError::Meaning(message.into()))
}

/// The index of a node. An alias is the index of the node that it stands for.
type NodeId = usize;

#[derive(Clone)]
enum Node {
    Scalar { text: String, plain: bool, tag: Option<String> },
    Sequence { items: Vec<NodeId>, tag: Option<String> },
    Mapping { pairs: Vec<(NodeId, NodeId)>, tag: Option<String> },
}

/// A collection that is being composed.
struct Open {
    node: NodeId,
    /// The key that waits for its value.
    key: Option<NodeId>,
}

/// Puts the parser's events together to a tree of nodes.
#[derive(Default)]
struct Composer {
    nodes: Vec<Node>,
    anchors: HashMap<usize, NodeId>,
    open: Vec<Open>,
    root: Option<NodeId>,
}

impl Composer {
    fn document(&mut self, text: &str) -> Result<Option<NodeId>, YamlError> {
        let mut parser = Parser::new_from_str(text);
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, _span) = event.map_err(|error| syntax(&error))?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) => documents += 1,
                Event::Alias(anchor) => match self.anchors.get(&anchor) {
                    Some(&node) => self.place(node),
                    None => return meaning("an alias has no anchor"),
                },
                Event::Scalar(text, style, anchor, tag) => {
                    let node = Node::Scalar {
                        text: text.into_owned(),
                        plain: style == ScalarStyle::Plain,
                        tag: tag.and_then(|tag| name(&tag)),
                    };
                    self.add(node, anchor);
                }
                Event::SequenceStart(anchor, tag) => {
                    self.start(
                        Node::Sequence { items: Vec::new(), tag: tag.and_then(|tag| name(&tag)) },
                        anchor,
                    )?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.start(
                        Node::Mapping { pairs: Vec::new(), tag: tag.and_then(|tag| name(&tag)) },
                        anchor,
                    )?;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    self.open.pop();
                }
                Event::DocumentEnd | Event::StreamStart | Event::Nothing => {}
            }
            if documents > 1 {
                return meaning("there is more than one document");
            }
        }
        Ok(self.root)
    }

    fn start(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        let node = self.add(node, anchor);
        self.open.push(Open { node, key: None });
        if self.open.len() > MAX_LEVELS { meaning("nested too deeply") } else { Ok(()) }
    }

    fn add(&mut self, node: Node, anchor: usize) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(node);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        self.place(id);
        id
    }

    /// Puts a node into the collection that is open.
    fn place(&mut self, id: NodeId) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(id);
            return;
        };
        match self.nodes.get_mut(open.node) {
            Some(Node::Sequence { items, .. }) => items.push(id),
            Some(Node::Mapping { pairs, .. }) => match open.key.take() {
                Some(key) => pairs.push((key, id)),
                None => open.key = Some(id),
            },
            Some(Node::Scalar { .. }) | None => {}
        }
    }
}

/// A tag in full. PyYAML resolves what is tagged `!` as if it had no tag.
fn name(tag: &Tag) -> Option<String> {
    let full = format!("{}{}", tag.handle, tag.suffix);
    (full != "!").then_some(full)
}

/// Turns nodes into values.
struct Constructor {
    nodes: Vec<Node>,
    values: usize,
}

impl Constructor {
    fn value(&mut self, id: NodeId, level: usize) -> Result<Value, YamlError> {
        self.values += 1;
        if self.values > MAX_VALUES || level > MAX_LEVELS {
            return meaning("the aliases make the document too large, or part of itself");
        }
        match self.nodes.get(id).cloned() {
            Some(Node::Scalar { text, plain, tag }) => {
                let tag = tag.unwrap_or_else(|| format!("{STANDARD}{}", resolve(&text, plain)));
                scalar(&text, tag.strip_prefix(STANDARD).unwrap_or(&tag))
            }
            Some(Node::Sequence { items, tag }) => self.sequence(&items, tag.as_deref(), level),
            Some(Node::Mapping { tag, .. }) => self.mapping(id, tag.as_deref(), level),
            None => Ok(Value::Null),
        }
    }

    fn sequence(&mut self, items: &[NodeId], tag: Option<&str>, level: usize) -> Result<Value, YamlError> {
        match tag.map(|tag| tag.strip_prefix(STANDARD).unwrap_or(tag)) {
            None | Some("seq") => {}
            Some("omap" | "pairs") if items.iter().all(|&item| self.is_pair(item)) => {}
            Some(tag) => return meaning(format!("a list cannot have the tag '{tag}'")),
        }
        let items: Result<_, _> = items.iter().map(|&item| self.value(item, level + 1)).collect();
        items.map(Value::List)
    }

    fn is_pair(&self, id: NodeId) -> bool {
        matches!(self.nodes.get(id), Some(Node::Mapping { pairs, .. }) if pairs.len() == 1)
    }

    fn mapping(&mut self, id: NodeId, tag: Option<&str>, level: usize) -> Result<Value, YamlError> {
        match tag.map(|tag| tag.strip_prefix(STANDARD).unwrap_or(tag)) {
            None | Some("map" | "set") => {}
            Some(tag) => return meaning(format!("an object cannot have the tag '{tag}'")),
        }
        let mut entries = IndexMap::new();
        let mut odd: Vec<(Value, Value)> = Vec::new();
        for (key, value) in self.flat_pairs(id, level)? {
            let key = match self.nodes.get(key) {
                Some(Node::Scalar { text, plain: true, tag: None }) if text == "=" => {
                    Value::String("=".into())
                }
                _ => self.value(key, level + 1)?,
            };
            let value = self.value(value, level + 1)?;
            match key {
                Value::String(key) => {
                    entries.insert(key, value);
                }
                key if !key.hashable() => return meaning("a list or an object cannot be a key"),
                key => match odd.iter_mut().find(|(other, _)| same_key(other, &key)) {
                    Some(pair) => pair.1 = value,
                    None => odd.push((key, value)),
                },
            }
        }
        let truthy = !entries.is_empty() || !odd.is_empty();
        if tag.is_some_and(|tag| tag.ends_with("set")) {
            return Ok(Value::Other { kind: "a set", truthy });
        }
        Ok(Value::Map(Map { entries, odd }))
    }

    /// The pairs of a mapping, after those that `<<` merges into it.
    fn flat_pairs(&mut self, id: NodeId, level: usize) -> Result<Vec<(NodeId, NodeId)>, YamlError> {
        self.values += 1;
        if self.values > MAX_VALUES || level > MAX_LEVELS {
            return meaning("the merges make the document too large, or part of itself");
        }
        let Some(Node::Mapping { pairs, .. }) = self.nodes.get(id).cloned() else {
            return meaning("only an object, or a list of objects, can be merged");
        };
        let (sources, own): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|&(key, _)| self.is_merge(key));
        let mut merged = Vec::new();
        for (_, source) in sources {
            if let Some(Node::Sequence { items, .. }) = self.nodes.get(source).cloned() {
                // Of two, the first one wins: so it comes last.
                for &item in items.iter().rev() {
                    merged.extend(self.flat_pairs(item, level + 1)?);
                }
            } else {
                merged.extend(self.flat_pairs(source, level + 1)?);
            }
        }
        merged.extend(own);
        Ok(merged)
    }

    fn is_merge(&self, key: NodeId) -> bool {
        match self.nodes.get(key) {
            Some(Node::Scalar { text, plain: true, tag: None }) => text == "<<",
            Some(Node::Scalar { tag: Some(tag), .. }) => tag == "tag:yaml.org,2002:merge",
            _ => false,
        }
    }
}

/// Whether Python takes two keys for the same: to it, `True`, `1` and `1.0` are.
fn same_key(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    };
    one == other || number(one).is_some_and(|one| number(other) == Some(one))
}

/// A regular expression of PyYAML's resolver, and the tag of what it matches.
static RULES: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
    [
        (r"^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$", "bool"),
        (
            r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
            "float",
        ),
        (
            r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$",
            "int",
        ),
        (r"^(?:~|null|Null|NULL|)$", "null"),
        (
            r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$",
            "timestamp",
        ),
    ]
    .map(|(pattern, tag)| (compile(pattern), tag))
});

/// The type that PyYAML gives a scalar without a tag.
fn resolve(text: &str, plain: bool) -> &'static str {
    if !plain {
        return "str";
    }
    // Nothing else starts one of the patterns, and most scalars are long text.
    let start = text.bytes().next();
    if !start.is_none_or(|byte| b"yYnNtTfFoO~-+.0123456789<=".contains(&byte)) {
        return "str";
    }
    match text {
        "<<" => "merge",
        "=" => "value",
        _ => RULES.iter().find(|(regex, _)| regex.is_match(text)).map_or("str", |&(_, tag)| tag),
    }
}

fn scalar(text: &str, tag: &str) -> Result<Value, YamlError> {
    let value = match tag {
        "str" => Some(Value::String(text.to_owned())),
        "null" => Some(Value::Null),
        "bool" => boolean(text),
        "int" => integer(text),
        "float" => float(text),
        "timestamp" => timestamp(text),
        "binary" if text.is_ascii() => Some(Value::Other { kind: "bytes", truthy: !text.trim().is_empty() }),
        _ => return meaning(format!("text cannot have the tag '{tag}'")),
    };
    match value {
        Some(value) => Ok(value),
        None => meaning(format!("'{text}' is not a valid {tag}")),
    }
}

fn boolean(text: &str) -> Option<Value> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "on" => Some(Value::Bool(true)),
        "no" | "false" | "off" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// Takes off the sign.
fn unsigned(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn integer(text: &str) -> Option<Value> {
    let text = text.replace('_', "");
    let (negative, digits) = unsigned(&text);
    let magnitude = if digits == "0" {
        Some(0)
    } else if let Some(digits) = digits.strip_prefix("0b") {
        i128::from_str_radix(digits, 2).ok()
    } else if let Some(digits) = digits.strip_prefix("0x") {
        i128::from_str_radix(digits, 16).ok()
    } else if digits.starts_with('0') {
        i128::from_str_radix(digits, 8).ok()
    } else if digits.contains(':') {
        digits.split(':').try_fold(0_i128, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))
    } else {
        let big =
            digits.len() <= 4_300 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        return match text.trim_start_matches('+').parse() {
            Ok(number) => Some(Value::Int(number)),
            Err(_) if big => Some(Value::BigInt(text.trim_start_matches('+').into())),
            Err(_) => None,
        };
    }?;
    let number = if negative { -magnitude } else { magnitude };
    Some(i64::try_from(number).map_or_else(|_| Value::BigInt(number.to_string().into()), Value::Int))
}

fn float(text: &str) -> Option<Value> {
    let text = text.replace('_', "").to_lowercase();
    let (negative, digits) = unsigned(&text);
    let magnitude = match digits {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        _ => digits.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?,
    };
    Some(Value::Float(if negative { -magnitude } else { magnitude }))
}

/// A date, if there is such a day and such an hour.
fn timestamp(text: &str) -> Option<Value> {
    let mut parts = text.split(|character: char| !character.is_ascii_digit()).filter(|part| !part.is_empty());
    let mut next = || parts.next().and_then(|part| part.parse::<u32>().ok());
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next().unwrap_or(0), next().unwrap_or(0), next().unwrap_or(0));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let valid = year > 0 && (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60;
    valid.then_some(Value::Other { kind: "a date", truthy: true })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &str) {
        let found = match parse(text) {
            Ok(value) => show(&value),
            Err(YamlError::Syntax { .. }) => "syntax".to_owned(),
            Err(YamlError::Meaning(_)) => "meaning".to_owned(),
        };
        assert_eq!(found, expect, "{text:.60}");
    }

    /// Short enough to be compared by eye with Python's `repr`.
    fn show(value: &Value) -> String {
        match value {
            Value::String(text) => format!("{text:?}"),
            Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
            Value::Map(map) => {
                let text = map.entries.iter().map(|(key, value)| format!("{key:?}: {}", show(value)));
                let odd = map.odd.iter().map(|(key, value)| format!("{}: {}", show(key), show(value)));
                format!("{{{}}}", text.chain(odd).collect::<Vec<_>>().join(", "))
            }
            value => value.to_text(),
        }
    }

    /// Each was run through `yaml.safe_load` of PyYAML 6.0.3.
    #[test]
    fn resolves_scalars_as_pyyaml_does() {
        check("[yes, Off, y, n, True, tRUE]", "[True, False, \"y\", \"n\", True, \"tRUE\"]");
        check("[010, 08, 0x1F, 0b101, 1_000, 0o7]", "[8, \"08\", 31, 5, 1000, \"0o7\"]");
        check("[12:30, 1:60, 12:30.5, 0:30]", "[750, \"1:60\", 750.5, \"0:30\"]");
        check(
            "[1e3, 1.0e+3, 1.e3, -.5, .5, -.inf, .NaN]",
            "[\"1e3\", 1000.0, \"1.e3\", \"-.5\", 0.5, -inf, nan]",
        );
        check("[~, null, NULL, nULL, '', '~']", "[None, None, None, \"nULL\", \"\", \"~\"]");
        check("[2024-02-29, '2024-02-29', 2024-1-1]", "[a date, \"2024-02-29\", \"2024-1-1\"]");
        check("2023-02-29", "meaning");
        check("a: =", "meaning");
        check("=: 1", "{\"=\": 1}");
        check("on: 1\n1: x\ntrue: y", "{True: \"y\"}");
        check("[!!str 1, !!int '7', ! 5, !!float '1.5']", "[\"1\", 7, 5, 1.5]");
        check("!custom 1", "meaning");
        check("!!python/object:os.system x", "meaning");
    }

    #[test]
    fn builds_documents_as_pyyaml_does() {
        check("", "None");
        check("--- 1\n--- 2\n", "meaning");
        check("a: 1\nb: 2\na: 3\n", "{\"a\": 3, \"b\": 2}");
        check("? [1]\n: 2\n", "meaning");
        check(
            "x: &a {p: 1, q: 2}\ny:\n  <<: *a\n  q: 3\n",
            "{\"x\": {\"p\": 1, \"q\": 2}, \"y\": {\"p\": 1, \"q\": 3}}",
        );
        check("<<: [{p: 1}, {p: 2, q: 3}]\n", "{\"p\": 1, \"q\": 3}");
        check("<<: 1\n", "meaning");
        check("a: *nope\n", "syntax");
        check("a: [1, 2\n", "syntax");
        check("a:\tb\n", "syntax");
        check("\u{7}", "syntax");
        check("|\n  a\n  b\n", "\"a\\nb\\n\"");
        check("# c\n...\na: 1\n", "syntax");
        check("a: 1\n...\n", "{\"a\": 1}");
        check(r#"a: "\ud800 \x41""#, "{\"a\": \"\u{fffd} A\"}");
        check("\u{feff}a: 1\n", "{\"a\": 1}");
        check("a: \u{feff}b\n", "{\"a\": \"\u{fffd}b\"}");
        check("\u{feff}a: \"\u{feff}\"\nb: [\u{feff}1]\n", "{\"a\": \"\u{fffd}\", \"b\": [\"\u{fffd}1\"]}");
    }

    #[test]
    fn every_pattern_compiles() {
        LazyLock::force(&SURROGATE);
        LazyLock::force(&RULES);
    }

    #[test]
    fn bombs_and_depth_end() {
        let mut bomb = "a0: &a0 [x, x]\n".to_owned();
        bomb.extend((1..40).map(|level| format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1)));
        check(&bomb, "meaning");
        check("&a [*a]", "meaning");
        check(&"[".repeat(100_000), "syntax");
        check(&format!("{}{}", "[".repeat(500), "]".repeat(500)), "syntax");
        check(
            &format!("{}{}", "[".repeat(200), "]".repeat(200)),
            &format!("{}{}", "[".repeat(200), "]".repeat(200)),
        );
    }

    proptest! {
        #[test]
        fn survives_anything(text in r"[\[\]{}:,\-?&*!|> \nab0-9'\x22]{0,60}") {
            drop(parse(&text));
        }
    }
}
