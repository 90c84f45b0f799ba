//! One question to a model.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use common::fingerprint;
use serde_json::Value;

/// One question to a model.
///
/// The model sees `prefix` followed by `suffix`, as one text. All calls of a pass have the prefix in common,
/// byte for byte, so that a provider's prompt cache can serve it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names the call: `plan/1`, `readme/<task>`, `files/<task>`. Asking again for the same thing keeps the
    /// label and increments `sample`.
    pub label: String,
    /// The beginning of the prompt, which other calls share.
    pub prefix: Prefix,
    /// The rest of the prompt, specific to this call. Not empty.
    pub suffix: String,
    /// The maximum number of tokens of the answer, reasoning included. The model's own limit applies where
    /// this is `None` or larger.
    pub max_output_tokens: Option<u64>,
    /// Distinguishes calls that are otherwise the same.
    pub sample: u32,
}

impl Request {
    /// The SHA-256 of what is asked: label, sample number and prompt, as 64 hexadecimal digits. It is the same for
    /// every model and for all request options.
    pub fn question(&self) -> String {
        let Self { label, prefix, suffix, sample, max_output_tokens: _ } = self;
        fingerprint::sha256_hex(format!("{label}\n{sample}\n{}{suffix}", &**prefix).as_bytes())
    }
}

/// A text that many requests begin with. Cloning it is cheap.
#[derive(Clone)]
pub struct Prefix(Arc<PrefixText>);

struct PrefixText {
    text: String,
    /// The text as it stands between the quotes of a JSON string: escaped once for all calls.
    json: String,
    id: u64,
}

impl Prefix {
    /// The text as it stands between the quotes of a JSON string.
    pub(crate) fn json(&self) -> &str {
        &self.0.json
    }

    /// Identifies the text.
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }
}

impl From<String> for Prefix {
    fn from(text: String) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let json = json_escape(&text);
        Self(Arc::new(PrefixText { text, json, id: hasher.finish() }))
    }
}

impl From<&str> for Prefix {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl Deref for Prefix {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({} bytes)", self.len())
    }
}

/// `text` as it stands between the quotes of a JSON string.
pub(crate) fn json_escape(text: &str) -> String {
    let mut quoted = Value::from(text).to_string();
    quoted.pop();
    quoted.split_off(1)
}
