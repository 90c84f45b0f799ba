//! Generates the shell completions and the man pages of all programs, in the folders below `share/` that shells and
//! `man` search. A program of its own, so that they do not contain the generators.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Command;
use clap_complete::{Shell, generate};
use fs_err as fs;

/// Where the completions of a shell go, and what their files are called.
const COMPLETIONS: [(Shell, &str, &str, &str); 3] = [
    (Shell::Bash, "bash-completion/completions", "", ""),
    (Shell::Zsh, "zsh/site-functions", "_", ""),
    (Shell::Fish, "fish/vendor_completions.d", "", ".fish"),
];

fn main() -> Result<()> {
    let share = PathBuf::from(std::env::args_os().nth(1).context("usage: manual PREFIX/share")?);
    for program in programs() {
        write_completions(&program, &share)?;
        write_page(program, &share)?;
    }
    Ok(())
}

fn programs() -> [Command; 9] {
    [
        stage_propose::command(),
        stage_amplify::command(),
        stage_extract::command(),
        stage_verify_spec::command(),
        stage_probe::command(),
        stage_verify_task::command(),
        stage_report::command(),
        stage_export::command(),
        ledger::command(),
    ]
}

fn write_completions(program: &Command, share: &Path) -> Result<()> {
    let name = program.get_name();
    for (shell, folder, before, after) in COMPLETIONS {
        let mut text = Vec::new();
        generate(shell, &mut program.clone(), name, &mut text);
        write(&share.join(folder), &format!("{before}{name}{after}"), &text)?;
    }
    Ok(())
}

fn write_page(program: Command, share: &Path) -> Result<()> {
    let name = format!("{}.1", program.get_name());
    let mut page = Vec::new();
    clap_mangen::Man::new(program).render(&mut page)?;
    write(&share.join("man/man1"), &name, &page)
}

fn write(folder: &Path, name: &str, text: &[u8]) -> Result<()> {
    fs::create_dir_all(folder)?;
    Ok(fs::write(folder.join(name), text)?)
}
