//! The descendants of a command, found in `/proc` (`proc_pid_stat(5)`).

use std::collections::BTreeSet;

use rustix::process::{Pid, WaitOptions};

struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    is_zombie: bool,
}

/// The processes of the command `pid` that have not ended. `commands` are all commands that run now.
pub(super) fn of(pid: Pid, commands: &BTreeSet<i32>) -> Vec<Pid> {
    let command = pid.as_raw_nonzero().get();
    let all = processes();
    let orphans = orphans_of(command, commands, &all);
    let mut found: BTreeSet<i32> =
        all.iter().filter(|p| p.pid == command || p.group == command).map(|p| p.pid).collect();
    found.extend(&orphans);
    add_children(&mut found, &all);
    for zombie in all.iter().filter(|p| p.is_zombie && orphans.contains(&p.pid)) {
        let _ = rustix::process::waitpid(Pid::from_raw(zombie.pid), WaitOptions::NOHANG);
    }
    let running = all.iter().filter(|p| !p.is_zombie && found.contains(&p.pid));
    running.filter_map(|p| Pid::from_raw(p.pid)).collect()
}

/// The processes that this process adopted, except those that are in the group of another command.
fn orphans_of(command: i32, commands: &BTreeSet<i32>, all: &[Process]) -> BTreeSet<i32> {
    let us = rustix::process::getpid().as_raw_nonzero().get();
    // Children in our own group were started by another part of this program.
    let our_group = rustix::process::getpgrp().as_raw_nonzero().get();
    let adopted = all.iter().filter(|p| p.parent == us && p.group != our_group && !commands.contains(&p.pid));
    adopted.filter(|p| p.group == command || !commands.contains(&p.group)).map(|p| p.pid).collect()
}

/// Adds the children of the processes in `found`, their children, and so on.
fn add_children(found: &mut BTreeSet<i32>, all: &[Process]) {
    loop {
        let before = found.len();
        for process in all {
            if found.contains(&process.parent) {
                found.insert(process.pid);
            }
        }
        if found.len() == before {
            return;
        }
    }
}

fn processes() -> Vec<Process> {
    let Ok(entries) = fs_err::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(process)
        .collect()
}

fn process(pid: i32) -> Option<Process> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may itself contain spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let is_zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some(Process { pid, parent, group, is_zombie })
}
