//! What the hooks of an environment leave running.

use std::sync::LazyLock;

use regex::Regex;
use task_spec::pattern::compile;
use task_spec::shell;
use task_spec::value::Value;

/// The hooks that run before an agent starts, in their order.
const HOOKS: [&str; 3] = ["pre_start", "post_start", "reset"];

/// The maximum number of commands that are named for a hook.
const NAMED: usize = 6;

/// Commands that leave something running.
const STARTS: &str = r"(?x)
    \bsystemctl \s+ (?:--\S+\s+)* (?:start | restart | enable \s+ --now) \s+ [\w@.-]+
    | \bservice \s+ [\w.-]+ \s+ (?:start | restart)
    | \bdocker(?:\s|-)compose \b [^|;&>]*? \s up \b
    | \bdocker \s+ run \b [^|;&>]*? --name (?:\s|=) [\w.-]+
    | \b(?: Start-Service | Start-Process | schtasks \s+ /Run \s+ /TN ) \s+ [^|;\#]+
    | \bam \s+ start \s+ [^|;>]+";

/// What stands in front of a command that is run as another user and goes on when the script ends.
const AROUND: &str = r#"(?x)
    ^\s* (?: su \s+ -\S* \s+ \S+ \s+ -c \s+ ["'] \s*
        | (?: sudo (?: \s+ (?: -u \s+ \S+ | -[EHi]+ ) )* | nohup | setsid | env | exec | [A-Z_]+=\S* ) \s+ )+"#;

static STARTING: LazyLock<Regex> = LazyLock::new(|| compile(STARTS));

static WRAPPER: LazyLock<Regex> = LazyLock::new(|| compile(AROUND));

/// The hooks of an environment's spec that run before an agent starts, and their commands.
pub(super) fn commands(spec: &Value) -> Vec<(&'static str, String)> {
    let hooks = spec.get("hooks");
    let command = |name: &str| hooks?.get(name)?.as_str().map(str::to_owned);
    HOOKS.iter().filter_map(|&name| Some((name, command(name)?))).collect()
}

/// Whether a command runs the file `name` of the environment.
pub(super) fn runs(command: &str, name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    command.rsplit(['/', '\\', ' ', '"', '\'']).any(|part| part == name)
}

/// The commands of a script that leave something running, each once.
pub(super) fn started(script: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // A backslash continues a line of a shell, a backtick after a space one of PowerShell.
    let joined = script.replace("\\\n", " ").replace(" `\n", " ");
    for line in shell::lines(&joined) {
        for command in starting(line.text) {
            if !found.contains(&command) && found.len() < NAMED {
                found.push(command);
            }
        }
    }
    found
}

/// The commands of a line that leave something running.
fn starting(line: &str) -> Vec<String> {
    if line.contains("-Wait") {
        // PowerShell goes on when the program has ended.
        return Vec::new();
    }
    let named = STARTING.find_iter(line).map(|found| {
        let command = found.as_str().split(" 2>").next().unwrap_or_default();
        command.trim_end().to_owned()
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() && is_detached(line) {
        let command = line.trim_end_matches(['&', '"', '\'', ' ']);
        let command = command.split(['>', '<']).next().unwrap_or(command);
        return vec![without_wrapper(command).trim().to_owned()];
    }
    named
}

/// The command that `su` or `sudo` runs as another user, without what only keeps it running.
fn without_wrapper(command: &str) -> &str {
    let end = WRAPPER.find(command).map_or(0, |found| found.end());
    command.get(end..).filter(|rest| !rest.is_empty()).unwrap_or(command)
}

/// Whether a line starts a program in the background.
fn is_detached(line: &str) -> bool {
    let end = line.trim_end_matches(['"', '\'', ')', ' ']);
    end.ends_with('&') && !end.ends_with("&&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        LazyLock::force(&STARTING);
        LazyLock::force(&WRAPPER);
    }

    #[test]
    fn commands_that_leave_something_running() {
        let script = "systemctl enable --now mariadb\nsystemctl stop nginx\n# service x start\n\
                      docker compose -f a.yml up -d\ncat > a.service <<'EOF'\nservice y start\nEOF\n\
                      docker run -d --name db \\\n  -p 1:1 postgres\n\
                      su - ga -c \"DISPLAY=:1 nohup app >/tmp/app.log 2>&1 &\"\ntrue && true\n";
        let expected = [
            "systemctl enable --now mariadb",
            "docker compose -f a.yml up",
            "docker run -d --name db",
            "app",
        ];
        assert_eq!(started(script), expected);
        let script = "Start-Process msiexec `\n  -Wait\nschtasks /Run /TN App 2>$null\nStart-Process 'a.exe' `\n  -X\n";
        assert_eq!(started(script), ["schtasks /Run /TN App", "Start-Process 'a.exe'   -X"]);
    }

    #[test]
    fn a_command_is_shown_without_what_runs_it() {
        let check = |line: &str, expected: &str| assert_eq!(started(line), [expected], "{line}");
        check(
            "su - ga -c \"DISPLAY=:1 firefox 'http://localhost/' > /tmp/x.log 2>&1 &\"",
            "firefox 'http://localhost/'",
        );
        check(
            "sudo -u ga DISPLAY=:1 XAUTHORITY=/home/ga/.Xauthority nohup /opt/app/run.sh --x &",
            "/opt/app/run.sh --x",
        );
        check("sudo -E java -jar app.jar &", "java -jar app.jar");
        check("su - ga -c 'setsid app &'", "app");
        check("Xvfb :1 &", "Xvfb :1");
        check("nohup &", "nohup");
    }

    #[test]
    fn the_script_of_a_command() {
        assert!(runs("/workspace/scripts/setup_app.sh", "scripts/setup_app.sh"));
        assert!(runs(r"powershell -File C:\workspace\scripts\setup_app.ps1", "scripts/setup_app.ps1"));
        assert!(!runs("/workspace/scripts/setup_app.sh", "scripts/app.sh"));
    }
}
