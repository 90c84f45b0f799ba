//! What a verifier bases its verdict on.

use serde::Serialize;

/// What a verifier bases its verdict on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Evidence {
    /// Records in a database.
    Database,
    /// The content of a file that the agent created.
    FileContent,
    /// The state that the application or its interface reports.
    State,
    /// Screenshots, judged by a model.
    Screens,
}

/// All kinds.
pub(super) const KINDS: [Evidence; 4] =
    [Evidence::Database, Evidence::FileContent, Evidence::State, Evidence::Screens];

/// Words in a task's export script and verifier that indicate the kind of evidence.
const MARKERS: [(Evidence, &[&str]); 4] = [
    (Evidence::Database, &["select ", "mysql", "sqlite", "psql", "mongo", "_query"]),
    (
        Evidence::FileContent,
        &[
            "csv.",
            "openpyxl",
            "zipfile",
            "elementtree",
            "from pil",
            "pdftotext",
            "struct.unpack",
            "docx",
            "wave.",
        ],
    ),
    (
        Evidence::State,
        &["curl ", "/api/", "gsettings", "dumpsys", "xdotool getwindow", "localstorage", "get-itemproperty"],
    ),
    (Evidence::Screens, &["query_vlm", "sample_trajectory"]),
];

/// The kinds of evidence that a task with this export and this verifier uses.
pub(super) fn evidence(export: &str, verifier: &str) -> Vec<Evidence> {
    let [export, verifier] = [export, verifier].map(str::to_lowercase);
    let uses = |marker: &&str| export.contains(marker) || verifier.contains(marker);
    let found = MARKERS.iter().filter(|(_, markers)| markers.iter().any(uses));
    found.map(|(kind, _)| *kind).collect()
}
