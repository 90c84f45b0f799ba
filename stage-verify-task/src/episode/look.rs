//! What a machine shows at a moment.

use std::collections::BTreeMap;

use common::text::{escape, shorten};

use crate::engine::{EngineError, Machine, Script};
use crate::screen::Screen;

const LOOK: &str = include_str!("../scripts/look.sh");

/// More than the screen with the most pixels has, as XWD.
const MAX_DUMP: usize = 64 << 20;

/// The longest title of a window that is kept, in characters.
const TITLE: usize = 200;

/// What a machine shows at a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// The titles of all windows, sorted, with control characters escaped.
    pub(crate) windows: Vec<String>,
    /// The processes that are not zombies, by id.
    pub(crate) processes: BTreeMap<u32, Process>,
    /// The most memory that was used so far, in bytes.
    pub(crate) peak_memory: u64,
    /// Package and version of the application, if it was asked for.
    pub(crate) version: String,
    /// The screen as a PNG.
    pub(crate) png: Option<Vec<u8>>,
    /// Whether the screen shows one colour.
    pub(crate) is_blank: bool,
}

/// A process of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// The id of its parent; 0 if that is outside the machine.
    pub(crate) parent: u32,
    pub(crate) name: String,
}

impl Look {
    /// Looks at a machine.
    pub(crate) fn at(machine: &mut dyn Machine, version: bool) -> Result<Self, EngineError> {
        let text = if version { format!("set -- version\n{LOOK}") } else { LOOK.to_owned() };
        let done = machine.run(&Script { output: MAX_DUMP, ..Script::quick(&text) })?;
        let mut parts = done.output.splitn(5, |byte| *byte == 0);
        let mut part = || parts.next().unwrap_or_default();
        let (windows, processes, memory, version, dump) = (part(), part(), part(), part(), part());
        let screen = Screen::from_xwd(dump);
        Ok(Self {
            windows: titles(windows),
            processes: processes_of(processes),
            peak_memory: String::from_utf8_lossy(memory)
                .lines()
                .filter_map(|line| line.parse().ok())
                .max()
                .unwrap_or(0),
            version: escape(String::from_utf8_lossy(version).trim()).into_owned(),
            is_blank: screen.as_ref().is_some_and(Screen::is_blank),
            png: screen.and_then(|screen| screen.to_png().ok()),
        })
    }
}

fn titles(lines: &[u8]) -> Vec<String> {
    let lines = String::from_utf8_lossy(lines);
    let titles = lines.lines().filter(|title| !title.trim().is_empty());
    let mut titles: Vec<String> = titles.map(|title| escape(&shorten(title, TITLE)).into_owned()).collect();
    titles.sort_unstable();
    titles
}

/// Lines of id, state, parent and name. The shell and its tools that look are among them.
fn processes_of(lines: &[u8]) -> BTreeMap<u32, Process> {
    let mut processes = BTreeMap::new();
    for line in String::from_utf8_lossy(lines).lines() {
        let mut words = line.splitn(4, ' ');
        if let (Some(id), Some(state), Some(parent), Some(name)) =
            (words.next(), words.next(), words.next(), words.next())
            && let (Ok(id), Ok(parent)) = (id.parse(), parent.parse())
            && state != "Z"
        {
            processes.insert(id, Process { parent, name: escape(name).into_owned() });
        }
    }
    processes
}
