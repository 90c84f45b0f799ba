//! Writes the computed statuses into a `validated_pi.json`.

use serde_json::{Value as Json, json};

use super::Status;
use super::facts::{Facts, Finding, Item, MAX_LEVELS};
use crate::value::Value;

/// A `validated_pi.json` with computed statuses.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Its text.
    pub text: String,
    /// The key of each item, and its finding.
    pub findings: Vec<(String, Finding)>,
}

/// Writes the computed status of each item into `evidence`, and the confidence that follows from them: `high` if all
/// items are verified, `low` if one is contradicted. Returns `None` if it is not an object, or nested too deeply.
pub fn settle(evidence: &Value, facts: &Facts<'_>) -> Option<Settled> {
    // The object, the list and the items around a value.
    if evidence.levels() > MAX_LEVELS + 3 {
        return None;
    }
    let mut document = evidence.to_json();
    let fields = document.as_object_mut()?;
    let mut findings = Vec::new();
    let items = evidence.get("pi_items").and_then(Value::as_list).unwrap_or_default();
    let written = fields.get_mut("pi_items").and_then(Json::as_array_mut).into_iter().flatten();
    for (item, written) in items.iter().zip(written) {
        let found = Item::of(item).map(|item| (item.key.to_owned(), facts.check(&item)));
        let status = found.as_ref().map_or(Status::Unverified, |(_, finding)| finding.status);
        if let Some(written) = written.as_object_mut() {
            written.insert("status".to_owned(), status.name().into());
        }
        findings.extend(found);
    }
    fields.insert("pi_confidence".to_owned(), json!(confidence(&findings)));
    Some(Settled { text: format!("{document:#}\n"), findings })
}

fn confidence(findings: &[(String, Finding)]) -> &'static str {
    let has = |status: Status| findings.iter().any(|(_, finding)| finding.status == status);
    if findings.is_empty() {
        "none"
    } else if has(Status::Contradicted) {
        "low"
    } else if has(Status::Unverified) {
        "medium"
    } else {
        "high"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pyjson::parse;

    #[test]
    fn stated_statuses_are_replaced() {
        let spec = parse(r#"{"metadata": {"rows": 12}}"#).unwrap();
        let text = |name: &str| (name == "a.sh").then(|| "ROWS=12\n".to_owned());
        let facts = Facts::new(Some(&spec), None, &text);
        let check = |items: &str, expect: &str| {
            let evidence = parse(&format!(r#"{{"x": 1.50, "pi_items": {items}}}"#)).unwrap();
            let settled: Json = serde_json::from_str(&settle(&evidence, &facts).unwrap().text).unwrap();
            let statuses: Vec<_> = settled["pi_items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["status"].to_string())
                .collect();
            let confidence = settled["pi_confidence"].as_str().unwrap();
            assert_eq!(format!("{} {confidence}", statuses.join(" ")), expect, "{items}");
        };
        check(
            r#"[{"key": "rows", "metadata_value": 12, "source": "a.sh:1", "status": "contradicted"}]"#,
            "\"verified\" high",
        );
        check(
            r#"[{"key": "rows", "metadata_value": 13, "source": "a.sh:1", "status": "verified"}]"#,
            "\"contradicted\" low",
        );
        check(
            r#"[{"key": "x", "metadata_value": "a", "source": "a.sh:1", "status": "verified"}, {"no": "key"}, 7]"#,
            "\"unverified\" \"unverified\" null medium",
        );
        check("[]", " none");
        assert!(settle(&parse("[]").unwrap(), &facts).is_none());
    }
}
