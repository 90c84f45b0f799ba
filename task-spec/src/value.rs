//! The values that a spec is made of, as Python sees them.

use indexmap::IndexMap;
use serde_json::{Number, Value as Json};

/// A value as Python sees it, read from JSON or YAML.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`.
    Null,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number beyond 64 bits, as it was written.
    BigInt(Box<str>),
    /// Any other number, `NaN` and the infinities included.
    Float(f64),
    /// Text. A lone surrogate, which Rust cannot hold, is replaced by U+FFFD.
    String(String),
    /// A list.
    List(Vec<Value>),
    /// A dictionary.
    Map(Map),
    /// What only YAML can say: a date, bytes. Nothing in a spec accepts one.
    Other {
        /// The name of its type in Python.
        kind: &'static str,
        /// Whether Python counts it as true.
        truthy: bool,
    },
}

/// A dictionary, in the order its keys first came in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    /// Values under text.
    pub entries: IndexMap<String, Value>,
    /// Values under anything else, which only YAML can write.
    pub odd: Vec<(Value, Value)>,
}

impl Value {
    /// What is found under a key, if this is a dictionary that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// The dictionary, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The number, if it is one; `None` for whole numbers beyond 64 bits.
    #[expect(clippy::cast_precision_loss, reason = "Python loses the same")]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether Python counts it as true.
    pub fn truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            Self::BigInt(_) => true,
            Self::Float(number) => *number != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Other { truthy, .. } => *truthy,
        }
    }

    /// Whether Python can look it up in a dictionary.
    pub fn hashable(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Map(_))
    }

    /// The name of its type in Python, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::BigInt(_) | Self::Float(_) => "a number",
            Self::String(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
            Self::Other { kind, .. } => kind,
        }
    }

    /// What `str()` makes of it. Lists and dictionaries are not spelled out: nothing is named like them.
    pub fn to_text(&self) -> String {
        match self {
            Self::Null => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(number) => number.to_string(),
            Self::BigInt(digits) => digits.to_string(),
            Self::Float(number) => float_text(*number),
            Self::String(text) => text.clone(),
            Self::List(_) => "[…]".to_owned(),
            Self::Map(_) => "{…}".to_owned(),
            Self::Other { kind, .. } => (*kind).to_owned(),
        }
    }

    /// The same value as plain JSON. What JSON cannot express becomes null.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null | Self::Other { .. } => Json::Null,
            Self::Bool(flag) => Json::Bool(*flag),
            Self::Int(number) => Json::from(*number),
            Self::BigInt(digits) => Json::String(digits.to_string()),
            Self::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Self::String(text) => Json::String(text.clone()),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(map) => map.entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
        }
    }

    /// How many lists and dictionaries are nested in one another here.
    pub fn levels(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::levels).max().unwrap_or(0),
            Self::Map(map) => 1 + map.values().map(Self::levels).max().unwrap_or(0),
            _ => 0,
        }
    }
}

impl Map {
    /// What is found under a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// Every value.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.entries.values().chain(self.odd.iter().map(|(_, value)| value))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.odd.is_empty()
    }
}

/// A float as Python writes it.
fn float_text(number: f64) -> String {
    let magnitude = number.abs();
    if number.is_nan() {
        "nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else if number == 0.0 || (1e-4..1e16).contains(&magnitude) {
        format!("{number:?}")
    } else {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        format!("{digits}e{sign}{exponent:0>2}")
    }
}

#[cfg(test)]
mod tests {
    use crate::pyjson::parse;

    #[test]
    fn writes_scalars_as_python_does() {
        let text = |json: &str| parse(json).unwrap().to_text();
        assert_eq!(text("1e16"), "1e+16");
        assert_eq!(text("1.5e-7"), "1.5e-07");
        assert_eq!(text("100000.0"), "100000.0");
        assert_eq!(text("true"), "True");
        assert_eq!(text("-0.0"), "-0.0");
    }
}
