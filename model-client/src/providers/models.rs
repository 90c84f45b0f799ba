//! The table of models: limits, reasoning, prices. Data, not code: the dated `models.json`, and a file of the
//! user that takes precedence.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;
use thiserror::Error;

use crate::facts::{ModelFacts, is_same_model};
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
    #[serde(flatten)]
    facts: ModelFacts,
    /// Announced changes of the price, by their first day.
    #[serde(default)]
    price_changes: BTreeMap<Date, Price>,
}

impl Entry {
    fn facts_on(&self, today: Date) -> ModelFacts {
        let change = self.price_changes.range(..=today).next_back();
        let price = change.map(|(_, price)| price).or(self.facts.price.as_ref()).cloned();
        ModelFacts { price, ..self.facts.clone() }
    }
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
        table.providers = own.providers.or(table.providers);
        Ok(table)
    }

    fn parse(text: &str, file: &str) -> Result<Self, TableError> {
        serde_json::from_str(text).map_err(|source| TableError::Parse { file: file.to_owned(), source })
    }

    /// What is known today of the model `name`. The first entry that states a fact wins.
    pub(super) fn facts(&self, provider: Provider, name: &str, today: Date) -> ModelFacts {
        let mut facts = ModelFacts::default();
        for entry in self.models.iter().filter(|entry| is_same_model(&entry.name, name)) {
            facts = facts.or(entry.facts_on(today));
        }
        facts.or(self.providers.of(provider).clone())
    }
}

impl ProviderFacts {
    fn of(&self, provider: Provider) -> &ModelFacts {
        match provider {
            Provider::Anthropic => &self.anthropic,
            Provider::Gemini => &self.gemini,
            Provider::OpenAi => &self.openai,
        }
    }

    /// These facts, completed by `others` where they say nothing.
    fn or(self, others: Self) -> Self {
        Self {
            anthropic: self.anthropic.or(others.anthropic),
            gemini: self.gemini.or(others.gemini),
            openai: self.openai.or(others.openai),
        }
    }
}

#[cfg(test)]
mod tests {
    use common::record::Usage;

    use super::*;

    fn facts(provider: Provider, name: &str, today: &str) -> ModelFacts {
        ModelTable::built_in().unwrap().facts(provider, name, today.parse().unwrap())
    }

    #[test]
    fn the_built_in_table_knows_every_price() {
        let table = ModelTable::built_in().unwrap();
        assert!(table.models.iter().all(|entry| entry.facts.price.is_some()));
        let facts = facts(Provider::Gemini, "gemini-4-argon", "2026-11-26");
        assert_eq!((facts.max_output_tokens, facts.retired), (Some(65_536), None));
        let unknown = self::facts(Provider::Anthropic, "claude-next", "2026-11-26");
        assert_eq!((unknown.max_output_tokens, unknown.price), (Some(32_000), None));
    }

    #[test]
    fn a_price_changes_on_its_day() {
        let usage = Usage { uncached_input: 1_000_000, ..Usage::default() };
        let cost = |today| facts(Provider::Gemini, "gemini-4-argon", today).price.unwrap().cost(&usage);
        assert!((cost("2026-11-30") - 2.0).abs() < 1e-9);
        assert!((cost("2026-12-01") - 4.0).abs() < 1e-9);
    }

    #[test]
    fn successors_are_listed_and_not_retired_before_the_model() {
        let table = ModelTable::built_in().unwrap();
        for entry in &table.models {
            let Some(retired) = &entry.facts.retired else { continue };
            let successor = table.models.iter().find(|other| other.name == retired.successor);
            let successor = successor.unwrap_or_else(|| panic!("{} is not listed", retired.successor));
            let later = successor.facts.retired.as_ref().is_none_or(|end| end.on > retired.on);
            assert!(later, "{}", entry.name);
        }
    }
}
