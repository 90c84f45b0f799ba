//! Claude Code: its arguments, and the events that it writes.
//!
//! As observed with version 2.1 (npm package `@anthropic-ai/claude-code`): in print mode with `--output-format
//! stream-json --verbose` it writes one JSON object per line. The first has the type `system` and the subtype
//! `init`, and names the session, which exists from then on. Every message has the type `assistant` or `user`; the
//! parts of one message are on separate lines with the same message id. The last line has the type `result`. If
//! the session to resume is unknown or the one to start is in use, it exits with 1 and a message on standard error.

use serde_json::Value;

use super::order::Order;

/// The longest prompt that is passed as an argument. Linux takes no argument of more than 128 KiB
/// (`execve(2)`, `MAX_ARG_STRLEN`).
const MAX_PROMPT_BYTES: usize = 100_000;

/// Tools that wait for a person.
const DISALLOWED_TOOLS: &str = "AskUserQuestion,EnterPlanMode,ExitPlanMode,Task(Plan)";

/// The arguments that carry out an order.
pub(crate) fn args(order: &Order<'_>, model: &str) -> Vec<String> {
    let session = if order.resume { "--resume" } else { "--session-id" };
    let reference = format!("Read all of the file {} and follow it.", order.prompt_file.display());
    [
        "-p",
        if order.prompt.len() > MAX_PROMPT_BYTES { &reference } else { order.prompt },
        "--dangerously-skip-permissions",
        session,
        order.session,
        "--disallowedTools",
        DISALLOWED_TOOLS,
        "--model",
        model,
        "--output-format",
        "stream-json",
        "--verbose",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A line of the stream.
#[derive(Debug, PartialEq)]
pub(crate) enum StreamEvent {
    /// The session exists, under this id.
    Init { session: String },
    /// A part of a message of the model, with its tool calls.
    Message { id: String, uses: Vec<ToolUse> },
    /// The end of the stream.
    Result(Summary),
}

/// A tool call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ToolUse {
    pub(crate) tool: String,
    /// A file, a command or a URL; may be empty.
    pub(crate) target: String,
}

/// The agent's final report.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) is_error: bool,
    /// `success`, `error_max_turns`, `error_during_execution`, ….
    pub(crate) subtype: String,
    pub(crate) num_turns: u64,
    /// US dollars, for this run alone.
    pub(crate) total_cost_usd: f64,
    /// The last message; after an error of the API, that error.
    pub(crate) result: String,
    pub(crate) errors: Vec<String>,
}

impl Summary {
    /// The error, in the agent's words.
    pub(crate) fn error_text(&self) -> String {
        let errors = self.errors.join("; ");
        match (errors.is_empty(), self.result.is_empty()) {
            (false, _) => errors,
            (true, false) => self.result.clone(),
            (true, true) => self.subtype.clone(),
        }
    }
}

/// Parses a line of the stream. `None` if the line has another type or is not JSON.
pub(crate) fn event(line: &[u8]) -> Option<StreamEvent> {
    let line: Value = serde_json::from_slice(line).ok()?;
    match (text(&line, "type"), text(&line, "subtype")) {
        ("system", "init") => {
            // It is passed back as an argument, so accept only a UUID.
            let session = uuid::Uuid::parse_str(text(&line, "session_id")).ok()?;
            Some(StreamEvent::Init { session: session.to_string() })
        }
        ("assistant", _) => {
            let message = line.get("message")?;
            let parts = list(message, "content").iter().filter(|part| text(part, "type") == "tool_use");
            Some(StreamEvent::Message {
                id: text(message, "id").to_owned(),
                uses: parts.map(tool_use).collect(),
            })
        }
        ("result", subtype) => Some(StreamEvent::Result(Summary {
            // Without a statement of success, assume an error.
            is_error: line.get("is_error").and_then(Value::as_bool).unwrap_or(subtype != "success"),
            subtype: subtype.to_owned(),
            num_turns: line.get("num_turns").and_then(Value::as_u64).unwrap_or(0),
            total_cost_usd: line.get("total_cost_usd").and_then(Value::as_f64).unwrap_or(0.0),
            result: text(&line, "result").to_owned(),
            errors: list(&line, "errors").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        })),
        _ => None,
    }
}

/// Inputs of Claude Code's tools that identify the target, the most specific one first.
const TARGETS: [&str; 7] =
    ["file_path", "notebook_path", "command", "url", "pattern", "query", "description"];

fn tool_use(part: &Value) -> ToolUse {
    let input = part.get("input").unwrap_or(&Value::Null);
    let target = TARGETS.into_iter().map(|name| text(input, name)).find(|target| !target.is_empty());
    ToolUse { tool: text(part, "name").to_owned(), target: target.unwrap_or_default().to_owned() }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&StreamEvent>) {
        assert_eq!(event(line.as_bytes()).as_ref(), expected, "{line}");
    }

    #[test]
    fn the_session_must_be_a_uuid() {
        let id = "11111111-2222-4333-8444-555555555555";
        let init =
            |id: &str| format!(r#"{{"type":"system","subtype":"init","cwd":"/w","session_id":"{id}"}}"#);
        check(&init(id), Some(&StreamEvent::Init { session: id.to_owned() }));
        check(&init("--model"), None);
    }

    #[test]
    fn a_message_lists_the_targets_of_its_tools() {
        let line = r#"{"type":"assistant","message":{"id":"m1","content":[{"type":"text","text":"Reading."},
            {"type":"tool_use","name":"Bash","input":{"command":"ls","description":"list"}},
            {"type":"tool_use","name":"Wait","input":5}]}}"#;
        let on = |tool: &str, target: &str| ToolUse { tool: tool.to_owned(), target: target.to_owned() };
        let uses = vec![on("Bash", "ls"), on("Wait", "")];
        check(line, Some(&StreamEvent::Message { id: "m1".to_owned(), uses }));
    }

    #[test]
    fn a_result_without_a_statement_of_success_is_an_error() {
        let result = |is_error, subtype: &str| {
            Some(StreamEvent::Result(Summary { is_error, subtype: subtype.to_owned(), ..Summary::default() }))
        };
        check(
            r#"{"type":"result","subtype":"success","is_error":false,"result":null}"#,
            result(false, "success").as_ref(),
        );
        check(r#"{"type":"result","subtype":"success","is_error":true}"#, result(true, "success").as_ref());
        check(
            r#"{"type":"result","subtype":"error_max_turns","total_cost_usd":null}"#,
            result(true, "error_max_turns").as_ref(),
        );
        check(r#"{"type":"result"}"#, result(true, "").as_ref());
    }

    #[test]
    fn other_lines_are_ignored() {
        for line in ["", "Warning", "[]", "{}", r#"{"type":5}"#, r#"{"type":"assistant"}"#, r#"{"type"#] {
            check(line, None);
        }
    }
}
