//! The script that creates the user accounts of an environment. gym-anything, `runners/docker.py`.

use std::fmt::Write as _;

use super::{Account, quote};

/// A shell script that creates the accounts, or adds what an existing one lacks.
pub fn accounts_script(accounts: &[Account]) -> String {
    let mut script = String::new();
    for account in accounts {
        // Writing to a String does not fail.
        let _ = write!(script, "{}", for_account(account));
    }
    script
}

fn for_account(account: &Account) -> String {
    let permissions = &account.permissions;
    let name = quote(&account.name);
    let parent = if permissions.system_user { "/var/lib" } else { "/home" };
    let home = permissions.home_dir.clone().unwrap_or_else(|| format!("{parent}/{}", account.name));
    let home = quote(&home);
    let group = quote(permissions.primary_group.as_deref().unwrap_or(&account.name));
    let mut lines =
        vec![format!("getent group {group} >/dev/null || groupadd {}{group}", option("-g", account.gid))];
    for group in &permissions.groups {
        lines.push(format!("getent group {0} >/dev/null || groupadd {0}", quote(group)));
    }
    let create_home = if permissions.create_home { format!("-m -d {home}") } else { "-M".to_owned() };
    let system = if permissions.system_user { " -r" } else { "" };
    lines.push(format!(
        "id {name} >/dev/null 2>&1 || useradd {}-g {group} {create_home} -s {}{system} {name}",
        option("-u", account.uid),
        quote(&permissions.shell)
    ));
    if !permissions.groups.is_empty() {
        lines.push(format!("usermod -a -G {} {name}", quote(&permissions.groups.join(","))));
    }
    if let Some(password) = &account.password {
        let pair = quote(&format!("{}:{password}", account.name));
        lines.push(format!("printf '%s\\n' {pair} | chpasswd"));
    }
    if permissions.create_home {
        lines.push(format!("mkdir -p {home} && chmod {} {home}", quote(&permissions.home_permissions)));
        lines.push(format!("chown \"$(id -u {name}):$(id -g {name})\" {home}"));
    }
    if permissions.sudo {
        let rule = if permissions.sudo_nopasswd { "ALL=(ALL) NOPASSWD: ALL" } else { "ALL=(ALL) ALL" };
        let file = quote(&format!("/etc/sudoers.d/{}", account.name));
        lines.push(format!("mkdir -p /etc/sudoers.d && printf '%s %s\\n' {name} {} >{file}", quote(rule)));
        lines.push(format!("chmod 440 {file}"));
    }
    lines.extend(variables(account, &home));
    // An account that is not as it should be is an error.
    format!("set -e\n{}\n", lines.join("\n"))
}

/// The account's variables, for its shells.
fn variables(account: &Account, home: &str) -> Vec<String> {
    if account.permissions.env_vars.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!(": >{home}/.env_vars")];
    for (variable, value) in &account.permissions.env_vars {
        let line = quote(&format!("export {variable}={}", quote(value)));
        lines.push(format!("printf '%s\\n' {line} >>{home}/.env_vars"));
    }
    lines.push(format!("[ ! -f {home}/.bashrc ] || printf 'source %s/.env_vars\\n' {home} >>{home}/.bashrc"));
    lines
}

fn option(name: &str, value: Option<u32>) -> String {
    value.map_or_else(String::new, |value| format!("{name} {value} "))
}
