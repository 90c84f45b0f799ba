//! `--dry-run`: writes the prompts to the run directory, and reports the sizes of their sections.

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
    let mut sections: Vec<(&str, usize)> = Vec::new();
    let mut fence: Option<&str> = None;
    for line in prompt.split_inclusive('\n') {
        let text = line.trim_end();
        let marks = text.len() - text.trim_start_matches(['`', '~']).len();
        match fence {
            None if marks >= 3 => fence = Some(&text[..marks]),
            Some(open) if text == open => fence = None,
            _ => {}
        }
        match (text.strip_prefix("# "), fence, sections.last_mut()) {
            (Some(title), None, _) => sections.push((title, line.len())),
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
