//! Who works with a product, from two tables of gym-anything: `selected_products.csv` and
//! `master_dataset.csv`.
//!
//! The first has one row per product (`product`, `category`, …), the second one per product and occupation
//! (`product`, `aka`, `occupation_title`, `soc_major_group`, `onet_importance`, `product_gdp_usd`,
//! `category_rationale`). Both are read the same way; missing columns are empty.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use common::text::shorten;
use common::ui::Ui;
use fs_err as fs;
use serde::{Deserialize, Serialize};

/// The maximum number of occupations that the model is shown.
const SHOWN: usize = 12;

/// The maximum length of a rationale, in characters.
const RATIONALE: usize = 160;

/// Who works with a product.
#[derive(Debug, Serialize)]
pub(crate) struct Occupations {
    product: String,
    categories: Vec<String>,
    rows: Vec<Row>,
    groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
struct Row {
    title: String,
    group: String,
    importance: String,
    rationale: String,
}

#[derive(Debug, Serialize)]
struct Group {
    name: String,
    count: usize,
}

/// A line of either table; missing columns are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    product: String,
    aka: String,
    category: String,
    occupation_title: String,
    soc_major_group: String,
    onet_importance: String,
    product_gdp_usd: String,
    category_rationale: String,
}

/// Looks up who works with `software` in the tables at `paths`; a folder stands for both tables in it. A
/// product that no table knows is reported, but not an error.
pub(crate) fn look_up(software: &str, paths: &[PathBuf], ui: &Ui) -> Result<Option<Occupations>> {
    let mut lines = Vec::new();
    for path in paths {
        lines.extend(read(path)?);
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let Some(product) = find_product(software, &lines) else {
        ui.warn(format_args!(
            "the occupation tables have no product {software:?}; continuing without occupations"
        ));
        return Ok(None);
    };
    let product = product.to_owned();
    let mut of_product: Vec<Line> = lines.into_iter().filter(|line| line.product.trim() == product).collect();
    let categories = categories(&of_product);
    of_product.retain(|line| !line.occupation_title.trim().is_empty());
    of_product.sort_by(|left, right| {
        right
            .worth()
            .total_cmp(&left.worth())
            .then_with(|| left.occupation_title.cmp(&right.occupation_title))
    });
    if of_product.is_empty() && categories.is_empty() {
        return Ok(None);
    }
    let groups = groups(&of_product);
    let rows = of_product.iter().take(SHOWN).map(Row::from).collect();
    Ok(Some(Occupations { product, categories, rows, groups }))
}

fn read(path: &Path) -> Result<Vec<Line>> {
    if path.is_dir() {
        let mut lines = Vec::new();
        for name in ["selected_products.csv", "master_dataset.csv"] {
            let table = path.join(name);
            if table.exists() {
                lines.extend(read(&table)?);
            }
        }
        ensure!(
            !lines.is_empty(),
            "{} holds neither selected_products.csv nor master_dataset.csv",
            path.display()
        );
        return Ok(lines);
    }
    let bytes = fs::read(path).context("cannot read the table given with --occupations")?;
    let mut table = csv::ReaderBuilder::new().flexible(true).from_reader(bytes.as_slice());
    let headers = table.headers().with_context(|| format!("{} is not valid CSV", path.display()))?.clone();
    if !headers.iter().any(|header| header == "product") {
        bail!(
            "{} has no column `product`: --occupations takes selected_products.csv and master_dataset.csv",
            path.display()
        );
    }
    let mut lines = Vec::new();
    for record in table.byte_records() {
        let record = record.with_context(|| format!("{} is not valid CSV", path.display()))?;
        let text = csv::StringRecord::from_byte_record_lossy(record);
        let line: Line =
            text.deserialize(Some(&headers)).with_context(|| format!("a row of {}", path.display()))?;
        lines.push(line);
    }
    Ok(lines)
}

/// The product that `software` means. Tried in this order: its name, its other names (`aka`), at least two
/// long words in common, one name containing the other.
fn find_product<'a>(software: &str, lines: &'a [Line]) -> Option<&'a str> {
    let wanted = software.trim().to_lowercase();
    let mut products: Vec<&str> = Vec::new();
    for line in lines {
        let product = line.product.trim();
        if !product.is_empty() && !products.contains(&product) {
            products.push(product);
        }
    }
    products
        .iter()
        .copied()
        .find(|product| product.to_lowercase() == wanted)
        .or_else(|| by_other_name(&wanted, lines))
        .or_else(|| by_words(&wanted, &products))
        .or_else(|| by_containment(&wanted, &products))
}

fn by_other_name<'a>(wanted: &str, lines: &'a [Line]) -> Option<&'a str> {
    let long_words = long_words(wanted);
    lines
        .iter()
        .find(|line| line.has_alias(wanted))
        .or_else(|| lines.iter().find(|line| long_words.iter().any(|word| line.has_alias(word))))
        .map(|line| line.product.trim())
}

fn by_words<'a>(wanted: &str, products: &[&'a str]) -> Option<&'a str> {
    let wanted = long_words(wanted);
    let mut best = None;
    for &product in products {
        let name = product.to_lowercase();
        let count = long_words(&name).iter().filter(|word| wanted.contains(word)).count();
        if count >= 2 && best.is_none_or(|(most, _)| count > most) {
            best = Some((count, product));
        }
    }
    best.map(|(_, product)| product)
}

/// The longest product that contains the wanted name, or is contained in it.
fn by_containment<'a>(wanted: &str, products: &[&'a str]) -> Option<&'a str> {
    let similar = products.iter().copied().filter(|product| is_contained(wanted, &product.to_lowercase()));
    similar.max_by_key(|product| product.len())
}

/// Whether the shorter name is part of the longer one and makes up most of it.
fn is_contained(left: &str, right: &str) -> bool {
    let (short, long) = if right.len() < left.len() { (right, left) } else { (left, right) };
    short.len() >= 5 && long.contains(short) && short.len() * 10 > long.len() * 6
}

fn long_words(name: &str) -> Vec<&str> {
    name.split_whitespace().filter(|word| word.chars().count() >= 4).collect()
}

/// The product categories; the column holds a list as Python prints it, or plain text.
fn categories(lines: &[Line]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in lines {
        for category in line.category.trim().trim_matches(['[', ']']).split(',') {
            let category = category.trim().trim_matches(['\'', '"']).to_owned();
            if !category.is_empty() && !found.contains(&category) {
                found.push(category);
            }
        }
    }
    found
}

/// The major groups of the occupations, the one with most occupations first.
fn groups(lines: &[Line]) -> Vec<Group> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        let group = line.soc_major_group.trim();
        if !group.is_empty() {
            *counts.entry(group).or_default() += 1;
        }
    }
    let mut groups: Vec<Group> =
        counts.into_iter().map(|(name, count)| Group { name: name.to_owned(), count }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

impl Line {
    fn has_alias(&self, name: &str) -> bool {
        self.aka.split(',').any(|alias| alias.trim().to_lowercase() == name)
    }

    /// What work with the product is worth in this occupation, in US dollars.
    fn worth(&self) -> f64 {
        self.product_gdp_usd.trim().parse().unwrap_or(0.0)
    }
}

impl From<&Line> for Row {
    fn from(line: &Line) -> Self {
        Self {
            title: line.occupation_title.trim().to_owned(),
            group: line.soc_major_group.trim().to_owned(),
            importance: line.onet_importance.trim().to_owned(),
            rationale: shorten(line.category_rationale.trim(), RATIONALE).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(product: &str, aka: &str) -> Line {
        Line { product: product.to_owned(), aka: aka.to_owned(), ..Line::default() }
    }

    #[test]
    fn a_product_is_found_by_similar_names() {
        let lines = [
            line("Microsoft Excel", "MS Excel, Excel"),
            line("Google Earth Pro", ""),
            line("Blender", "b3d"),
            line("Autodesk Revit Architecture", ""),
        ];
        let find = |name| find_product(name, &lines);
        assert_eq!(find("microsoft excel "), Some("Microsoft Excel"));
        assert_eq!(find("Excel"), Some("Microsoft Excel"));
        assert_eq!(find("Excel Online"), Some("Microsoft Excel"));
        assert_eq!(find("Earth by Google"), Some("Google Earth Pro"));
        assert_eq!(find("Blender4"), Some("Blender"));
        assert_eq!(find("Moodle"), None);
        assert_eq!(find("end"), None);
    }

    #[test]
    fn python_lists_are_read() {
        let mut lines = [line("x", "")];
        lines[0].category = "['Inventory Management', 'Spreadsheet']".to_owned();
        assert_eq!(categories(&lines), ["Inventory Management", "Spreadsheet"]);
    }
}
