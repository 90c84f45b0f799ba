//! The table of models: limits, reasoning, prices. Data, not code: the dated `models.json`, and a file of the
//! user that takes precedence.

use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::facts::ModelFacts;
use crate::pricing::Price;

const BUILT_IN: &str = include_str!("models.json");

/// What is known of all models.
#[derive(Clone, Debug, Deserialize)]
pub struct ModelTable {
    #[serde(default, alias = "vendors")]
    providers: ProviderFacts,
    #[serde(default)]
    models: Vec<Entry>,
}

/// A provider, by its wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Anthropic,
    Gemini,
    OpenAi,
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
struct ProviderFacts {
    anthropic: ModelFacts,
    gemini: ModelFacts,
    openai: ModelFacts,
}

/// Why a table cannot be used.
#[derive(Debug, Error)]
pub enum TableError {
    /// The file cannot be read.
    #[error("cannot read the table of prices")]
    Read(#[source] io::Error),
    /// The file is not a valid table.
    #[error("{file} is not a valid table of prices")]
    Parse {
        /// The file.
        file: String,
        /// What is wrong with it, and where.
        #[source]
        source: serde_json::Error,
    },
}

impl ModelTable {
    /// The built-in table.
    pub fn built_in() -> Result<Self, TableError> {
        Self::parse(BUILT_IN, "the built-in table")
    }

    /// The built-in table, preceded by the entries of `file`. What an entry there omits is taken from the
    /// built-in table.
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

    /// What is known of the model `name`. The first entry that states a fact wins.
    pub(super) fn facts(&self, provider: Provider, name: &str) -> ModelFacts {
        let mut facts = ModelFacts::default();
        for entry in self.models.iter().filter(|entry| is_same_model(&entry.name, name)) {
            facts = facts.or(ModelFacts {
                max_output_tokens: entry.max_output_tokens,
                cache_minimum: entry.cache_minimum,
                request: entry.request.clone().unwrap_or_default(),
                price: entry.price.clone(),
            });
        }
        facts.or(match provider {
            Provider::Anthropic => self.providers.anthropic.clone(),
            Provider::Gemini => self.providers.gemini.clone(),
            Provider::OpenAi => self.providers.openai.clone(),
        })
    }
}

/// Whether `name` is the model that is listed as `listed`, or a version of it with a date appended:
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
    fn a_date_does_not_change_the_model() {
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
        let table = ModelTable::built_in().unwrap();
        let facts = table.facts(Provider::Gemini, "gemini-3-pro-preview");
        assert_eq!(facts.max_output_tokens, Some(65_536));
        assert!(facts.price.is_some());
        assert!(table.models.iter().all(|entry| entry.price.is_some()));
        let unknown = table.facts(Provider::Anthropic, "claude-next");
        assert_eq!((unknown.max_output_tokens, unknown.price), (Some(32_000), None));
    }
}
