//! What differs by model: limits, reasoning, prices. Data, not code: `models.json`, dated, and a file of the
//! user's own before it.

use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::pricing::Price;

const BUILT_IN: &str = include_str!("models.json");

/// What is known of all models.
#[derive(Clone, Debug, Deserialize)]
pub struct Table {
    #[serde(default)]
    vendors: Vendors,
    #[serde(default)]
    models: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    max_output_tokens: Option<u64>,
    #[serde(default)]
    cache_minimum: Option<u64>,
    #[serde(default)]
    request: Option<Map<String, Value>>,
    #[serde(default)]
    price: Option<Price>,
}

/// What to assume of a model that is not listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Vendors {
    anthropic: Facts,
    gemini: Facts,
    openai: Facts,
}

/// What is known of one model.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The most tokens that an answer can have, reasoning included.
    pub max_output_tokens: Option<u64>,
    /// A beginning with fewer tokens is not cached. `None` where there is no cache.
    pub cache_minimum: Option<u64>,
    /// What goes into the body of every request, in the vendor's own terms.
    pub request: Map<String, Value>,
    /// What it costs.
    pub price: Option<Price>,
}

/// Who speaks how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    Anthropic,
    Gemini,
    OpenAi,
}

/// Why a table of one's own cannot be used.
#[derive(Debug, Error)]
pub enum TableError {
    /// It cannot be read.
    #[error("cannot read the table of prices")]
    Read(#[source] io::Error),
    /// It has another form.
    #[error("{file} is no table of prices")]
    Parse {
        /// The file.
        file: String,
        /// What is wrong with it, and where.
        #[source]
        source: serde_json::Error,
    },
}

impl Table {
    /// The table that comes with the program.
    pub fn built_in() -> Result<Self, TableError> {
        Self::parse(BUILT_IN, "the built-in table")
    }

    /// The built-in table, with the entries of `file` before its own. What an entry there leaves out is
    /// taken from the built-in one.
    pub fn with(file: &Path) -> Result<Self, TableError> {
        let text = fs_err::read_to_string(file).map_err(TableError::Read)?;
        let mut table = Self::built_in()?;
        let own = Self::parse(&text, &file.display().to_string())?;
        table.models.splice(0..0, own.models);
        Ok(table)
    }

    fn parse(text: &str, file: &str) -> Result<Self, TableError> {
        serde_json::from_str(text).map_err(|source| TableError::Parse { file: file.to_owned(), source })
    }

    /// What is known of the model `name`. Entries that come first prevail.
    pub(super) fn facts(&self, vendor: Vendor, name: &str) -> Facts {
        let mut facts = Facts::default();
        for entry in self.models.iter().filter(|entry| is_same_model(&entry.name, name)) {
            facts = facts.or(Facts {
                max_output_tokens: entry.max_output_tokens,
                cache_minimum: entry.cache_minimum,
                request: entry.request.clone().unwrap_or_default(),
                price: entry.price.clone(),
            });
        }
        facts.or(match vendor {
            Vendor::Anthropic => self.vendors.anthropic.clone(),
            Vendor::Gemini => self.vendors.gemini.clone(),
            Vendor::OpenAi => self.vendors.openai.clone(),
        })
    }
}

impl Facts {
    /// These facts, and where they say nothing, `others`.
    fn or(self, others: Self) -> Self {
        Self {
            max_output_tokens: self.max_output_tokens.or(others.max_output_tokens),
            cache_minimum: self.cache_minimum.or(others.cache_minimum),
            request: if self.request.is_empty() { others.request } else { self.request },
            price: self.price.or(others.price),
        }
    }
}

/// Whether `name` is the model that is listed as `listed`, or a version of it that has its date behind:
/// `-20251101`, `-2025-11-13`.
fn is_same_model(listed: &str, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(listed) else { return false };
    let Some(date) = rest.strip_prefix('-') else { return rest.is_empty() };
    let digits = date.bytes().filter(u8::is_ascii_digit).count();
    digits == 8 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_does_not_make_another_model() {
        let check = |listed, name, expect| assert_eq!(is_same_model(listed, name), expect, "{listed} {name}");
        check("gpt-5", "gpt-5", true);
        check("gpt-5", "gpt-5-2025-08-07", true);
        check("claude-opus-4-5", "claude-opus-4-5-20251101", true);
        check("claude-opus-4", "claude-opus-4-5-20251101", false);
        check("gpt-5", "gpt-5-mini", false);
        check("gpt-5", "gpt-5.1", false);
    }

    #[test]
    fn the_built_in_table_knows_the_default_model_and_its_neighbours() {
        let table = Table::built_in().unwrap();
        let facts = table.facts(Vendor::Gemini, "gemini-3-pro-preview");
        assert_eq!(facts.max_output_tokens, Some(65_536));
        assert!(facts.price.is_some());
        assert!(table.models.iter().all(|entry| entry.price.is_some()));
        let unknown = table.facts(Vendor::Anthropic, "claude-next");
        assert_eq!((unknown.max_output_tokens, unknown.price), (Some(32_000), None));
    }
}
