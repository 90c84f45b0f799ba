//! The criteria that a model lists: whether the documents bear them out, and what the documents disagree on.

use common::record::{Criterion, Issue, Severity};
use common::text::{escape, one_line, shorten};
use serde::Deserialize;
use task_spec::checklist::CHECKLIST;

use super::documents::Documents;

/// The most criteria of a task. A checklist has at most eight items.
const MAX_CRITERIA: usize = 40;

/// The longest name of a criterion, in characters.
const MAX_NAME: usize = 200;

/// The shortest quote, in characters. Shorter ones are in a document by chance.
const MIN_QUOTE: usize = 4;

/// The form of an answer.
#[derive(Deserialize)]
struct Answer {
    criteria: Vec<Criterion>,
}

/// The criteria in the file of an answer.
pub(super) fn parse(text: &str) -> Result<Vec<Criterion>, String> {
    let answer: Answer = serde_json::from_str(text)
        .map_err(|error| format!("it does not have the requested form: {error}"))?;
    Ok(answer.criteria.into_iter().map(tidy).collect())
}

fn tidy(criterion: Criterion) -> Criterion {
    Criterion { criterion: shorten(&escape(&criterion.criterion), MAX_NAME).into_owned(), ..criterion }
}

/// What the documents do not bear out, in words for the model.
pub(super) fn problems(criteria: &[Criterion], documents: &Documents) -> Vec<String> {
    if criteria.is_empty() || criteria.len() > MAX_CRITERIA {
        return vec![format!("there are {} criteria; list 1 to {MAX_CRITERIA}", criteria.len())];
    }
    let mut problems: Vec<String> =
        criteria.iter().flat_map(|criterion| false_claims(criterion, documents)).collect();
    problems.extend(documents.items.iter().filter_map(|id| unlisted_item(id, criteria)));
    problems.extend(documents.points.iter().filter_map(|row| unlisted_row(row, criteria)));
    problems
}

/// Quotes that are not in their document, and ids of no item.
fn false_claims(criterion: &Criterion, documents: &Documents) -> Vec<String> {
    let name = &criterion.criterion;
    if name.trim().is_empty() {
        return vec!["a criterion has no name".to_owned()];
    }
    let quotes = [
        ("description", &criterion.description, Documents::description_has as fn(&Documents, &str) -> bool),
        ("readme", &criterion.readme, Documents::readme_has),
        ("verifier", &criterion.verifier, Documents::verifier_has),
    ];
    let mut problems = Vec::new();
    for (field, quote, is_in) in quotes {
        let Some(quote) = quote else { continue };
        if one_line(quote).chars().count() < MIN_QUOTE {
            problems.push(format!("{name}: {field} is too short; quote at least {MIN_QUOTE} characters"));
        } else if !is_in(documents, quote) {
            problems.push(format!("{name}: {field} is not a literal quote: {}", excerpt(quote)));
        }
    }
    let unknown = criterion.checklist.iter().filter(|id| !documents.items.contains(*id));
    problems.extend(unknown.map(|id| format!("{name}: no completion item has the id {}", excerpt(id))));
    if criterion.readme.is_none() && criterion.verifier.is_none() && criterion.checklist.is_empty() {
        problems.push(format!("{name}: it counts in no document; leave it out"));
    }
    problems
}

fn unlisted_item(id: &str, criteria: &[Criterion]) -> Option<String> {
    let is_listed = criteria.iter().any(|criterion| criterion.checklist.iter().any(|listed| listed == id));
    (!is_listed).then(|| format!("no criterion names the completion item {}", excerpt(id)))
}

/// A row of the README's table is listed if a quote contains its criterion.
fn unlisted_row(row: &str, criteria: &[Criterion]) -> Option<String> {
    let mut quotes = criteria.iter().filter_map(|criterion| criterion.readme.as_deref());
    let is_listed = quotes.any(|quote| one_line(quote).contains(row));
    (!is_listed)
        .then(|| format!("no criterion quotes this row of the README's table of points: {}", excerpt(row)))
}

fn excerpt(text: &str) -> String {
    shorten(&escape(text), MAX_NAME).into_owned()
}

/// The documents that lack a criterion.
pub(super) fn disagreements(criterion: &Criterion) -> Vec<Issue> {
    let Criterion { criterion: name, description, readme, checklist, verifier } = criterion;
    let mut issues = Vec::new();
    let mut lacks = |document: &str, severity, path: &str, message: String| {
        let code = format!("criterion_not_in_{document}");
        issues.push(Issue { code, severity, message, path: Some(path.to_owned()) });
    };
    if checklist.is_empty() {
        let message = format!("{name}: it counts, and no completion item of the checklist looks for it");
        lacks("checklist", Severity::Error, CHECKLIST, message);
    }
    if verifier.is_none() {
        let message = format!("{name}: it counts, and the verifier does not score it");
        lacks("verifier", Severity::Error, "verifier.py", message);
    }
    if description.is_none() {
        let message = format!("{name}: it counts, and the description does not ask for it");
        lacks("description", Severity::Error, "task.json", message);
    }
    if readme.is_none() {
        let message = format!("{name}: it counts, and the README does not say so");
        lacks("readme", Severity::Warning, "README.md", message);
    }
    issues
}
