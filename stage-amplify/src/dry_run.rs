//! `--dry-run`: writes the prompts to the run directory, and reports the sizes of their sections.

use answer::fence::{self, Fence};
use anyhow::Result;
use common::publish::write_file_atomic;
use common::ui::Ui;
use fs_err as fs;

use crate::preview::{self, Preview};
use crate::prompts::Templates;
use crate::settings::Settings;

/// Writes the first prompt of each pass to `prompts/dry-run/PASS.md`.
pub(crate) fn run(settings: &Settings, templates: &Templates, ui: &Ui) -> Result<()> {
    let dir = settings.run_dir.root().join("prompts").join("dry-run");
    fs::create_dir_all(&dir)?;
    for Preview { name, prefix, suffix, .. } in preview::prompts(settings, templates, ui)? {
        let path = dir.join(format!("{name}.md"));
        write_file_atomic(&path, format!("{prefix}{suffix}").as_bytes())?;
        let (prefix_bytes, suffix_bytes) = (prefix.len(), suffix.len());
        ui.info(format_args!("{}: prefix {prefix_bytes} bytes, suffix {suffix_bytes} bytes", path.display()));
        for (title, bytes) in sections(&prefix) {
            ui.info(format_args!("  {bytes:>8}  {title}"));
        }
    }
    Ok(())
}

/// The sections of a prompt, by their first-level headings outside fences, with their sizes in bytes.
fn sections(prompt: &str) -> Vec<(&str, usize)> {
    let fences = fence::find(prompt);
    let mut fences = fences.iter().peekable();
    let mut open: Option<&Fence<'_>> = None;
    let mut sections: Vec<(&str, usize)> = Vec::new();
    let mut start = 0;
    for line in prompt.split_inclusive('\n') {
        let fence = fences.next_if(|fence| fence.line.start == start);
        match (fence, open) {
            (Some(fence), None) if fence.opens => open = Some(fence),
            (Some(fence), Some(opener)) if fence.closes(opener) => open = None,
            _ => {}
        }
        start += line.len();
        match (line.strip_prefix("# "), open, sections.last_mut()) {
            (Some(title), None, _) => sections.push((title.trim_end(), line.len())),
            (_, _, Some((_, bytes))) => *bytes += line.len(),
            (_, _, None) => sections.push(("(before the first heading)", line.len())),
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_inside_fences_are_content() {
        let prompt = "# A\nx\n````sh\n# no\n```\n````\n# B\ny\n";
        assert_eq!(sections(prompt), [("A", 27), ("B", 6)]);
    }
}
