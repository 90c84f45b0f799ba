//! Claude Code: how it is started, and what it tells of its work.
//!
//! Seen of version 2.1 (npm package `@anthropic-ai/claude-code`): in print mode with `--output-format
//! stream-json --verbose` it writes a JSON object a line. The first has the type `system` and the subtype
//! `init`, and names the session, which exists from then on. Every message has the type `assistant` or
//! `user`; the pieces of one message come in lines of their own with the same message id. The last line has
//! the type `result`. It exits with 1 if the session to resume is unknown or the one to start is in use,
//! and then says so on standard error.

use serde::Deserialize;
use serde_json::Value;

use crate::agent::Order;

/// The longest prompt that is passed as an argument. Linux takes no argument of more than 128 KiB
/// (`execve(2)`, `MAX_ARG_STRLEN`).
const MAX_PROMPT_BYTES: usize = 100_000;

/// Tools that would wait for a person.
const DISALLOWED_TOOLS: &str = "AskUserQuestion,EnterPlanMode,ExitPlanMode,Task(Plan)";

/// The arguments that carry out an order.
pub(crate) fn args(order: &Order<'_>, model: &str) -> Vec<String> {
    let session = if order.resume { "--resume" } else { "--session-id" };
    let by_file = format!("Read all of the file {} and do what it says.", order.prompt_file.display());
    [
        "-p",
        if order.prompt.len() > MAX_PROMPT_BYTES { &by_file } else { order.prompt },
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

/// What a line of the stream says, as far as anybody here wants to know.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// The session is there, under this id.
    Init { session: String },
    /// A piece of a message of the model's, with the tools that it uses.
    Message { id: String, uses: Vec<ToolUse> },
    /// The end.
    Result(Summary),
}

/// A tool that the agent uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ToolUse {
    pub(crate) tool: String,
    /// What it is used on: a file, a command, an address. May be empty.
    pub(crate) target: String,
}

/// What the agent says at its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) is_error: bool,
    /// `success`, `error_max_turns`, `error_during_execution`, ….
    pub(crate) subtype: String,
    pub(crate) num_turns: usize,
    /// US dollars, of this run alone.
    pub(crate) total_cost_usd: f64,
    /// Its last words; on an error of the API, that error.
    pub(crate) result: String,
    pub(crate) errors: Vec<String>,
}

impl Summary {
    /// What went wrong, in the agent's words.
    pub(crate) fn complaint(&self) -> String {
        let errors = self.errors.join("; ");
        match (errors.is_empty(), self.result.is_empty()) {
            (false, _) => errors,
            (true, false) => self.result.clone(),
            (true, true) => self.subtype.clone(),
        }
    }
}

/// Reads a line of the stream. A line of another kind, or none that is JSON, is no event.
pub(crate) fn event(line: &[u8]) -> Option<Event> {
    let line: Line = serde_json::from_slice(line).ok()?;
    match line.kind.as_str() {
        "system" if line.subtype == "init" => {
            // It comes back as an argument: nothing but an id may.
            let session = uuid::Uuid::parse_str(&line.session_id).ok()?;
            Some(Event::Init { session: session.to_string() })
        }
        "assistant" => {
            let message = line.message?;
            let uses = message.content.into_iter().filter(|part| part.kind == "tool_use").map(tool_use);
            Some(Event::Message { id: message.id, uses: uses.collect() })
        }
        "result" => Some(Event::Result(Summary {
            is_error: line.is_error,
            subtype: line.subtype,
            num_turns: line.num_turns,
            total_cost_usd: line.total_cost_usd,
            result: line.result,
            errors: line.errors,
        })),
        _ => None,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    subtype: String,
    session_id: String,
    message: Option<Message>,
    is_error: bool,
    num_turns: usize,
    total_cost_usd: f64,
    result: String,
    errors: Vec<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    id: String,
    #[serde(default)]
    content: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    input: Value,
}

/// Inputs of Claude Code's tools that say what a tool is used on, the most telling one first.
const TARGETS: [&str; 7] =
    ["file_path", "notebook_path", "command", "url", "pattern", "query", "description"];

fn tool_use(part: Part) -> ToolUse {
    let target = TARGETS.iter().find_map(|name| part.input.get(name)?.as_str()).unwrap_or_default();
    ToolUse { target: target.to_owned(), tool: part.name }
}
