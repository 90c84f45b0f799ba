//! The page: one HTML file that needs no network and no other file.
//!
//! Figures, charts and the worst tasks are HTML. The table of tasks is made in the browser from JSON, and the details
//! of a task are inert text until it is opened, so that a page with thousands of tasks opens at once. All text from
//! models is escaped by the templates' formatter; the Content-Security-Policy allows the page's own script and style
//! by their hash, and nothing else.

mod changes;
mod details;
mod folder;
mod highlight;
mod markdown;
mod rows;
mod text;
mod view;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::environment::Workspace;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Output, State, Value, context, escape_formatter};
use sha2::{Digest, Sha256};

use self::details::Details;
use self::text::{json_in_script, visible};
use self::view::View;
use crate::report::Report;
use crate::source::Run;

const STYLE: &str = include_str!("../../templates/page.css");
const SCRIPT: &str = include_str!("../../templates/page.js");
const PAGE: &str = include_str!("../../templates/page.html");
const TASK: &str = include_str!("../../templates/task.html");

/// Where the data and the details go in the rendered page. Templates write no such character of their own, and the
/// formatter writes none of a text.
const DATA_HERE: &str = "\u{1}";

/// The page of a report. With `has_files`, tasks open to their files, as far as the page stays below its limit.
pub(crate) fn render(
    report: &Report,
    runs: &[Run],
    workspace: &Workspace,
    has_files: bool,
) -> Result<String> {
    let templates = templates()?;
    let style = STYLE.replace('\r', "");
    let frame = templates
        .get_template("page.html")?
        .render(context! {
            view => Value::from(Serde(View::of(report))), style => Value::from_safe_string(style.clone()),
            script => Value::from_safe_string(SCRIPT.to_owned()),
            script_hash => hash(SCRIPT), style_hash => hash(&style),
            data_here => Value::from_safe_string(DATA_HERE.to_owned()),
        })
        .context("cannot render the page")?;
    let (before, after) = frame.split_once(DATA_HERE).context("the page has no place for its data")?;
    let data = serde_json::to_string(&rows::data(report)).context("cannot write the table of tasks")?;
    let mut page =
        format!("{before}<script type=\"application/json\" id=\"data\">{}</script>\n", json_in_script(&data));
    Details { report, runs, workspace, templates: &templates, has_files }.write(&mut page)?;
    page.push_str(after);
    Ok(page)
}

fn templates() -> Result<Environment<'static>> {
    let mut templates = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    templates.set_syntax(syntax.context("the syntax of the templates")?);
    templates.set_formatter(format_visibly);
    templates.add_template("page.html", PAGE).context("templates/page.html")?;
    templates.add_template("task.html", TASK).context("templates/task.html")?;
    templates.add_filter("percent", |share: f64| format!("{:.0} %", share * 100.0));
    templates.add_filter("dollars", |dollars: f64| format!("${dollars:.2}"));
    templates.add_filter("words", |code: String| code.replace('_', " "));
    templates.add_filter("thousands", thousands);
    Ok(templates)
}

/// Writes a value as HTML, with what is invisible in it written out.
fn format_visibly(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    match value.as_str() {
        Some(text) if value.kind() == ValueKind::String && !value.is_safe() => {
            escape_formatter(out, state, &Value::from(visible(text)))
        }
        _ => escape_formatter(out, state, value),
    }
}

/// A number with its thousands apart: `12 345`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

/// The hash of an inline script or style, as a Content-Security-Policy names it.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(Sha256::digest(text.as_bytes())))
}
