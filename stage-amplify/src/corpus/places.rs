//! Where the files of a task are in its environment, as templates name them.

use serde::Serialize;
use task_spec::platform::Platform;
use task_spec::value::Value;

/// The paths and commands of a task on its platform. `<task>` stands for its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Places {
    /// `linux`, `windows`, `android` or `macos`: part of the names of templates.
    platform: &'static str,
    /// The extension of scripts.
    ext: &'static str,
    /// What separates the parts of a path.
    separator: &'static str,
    /// The task's folder.
    task_dir: String,
    /// The hook that runs the setup, as a JSON text holds it.
    hook_command: String,
    /// The file that the export writes.
    result_file: &'static str,
    /// The folder in which the setup stores the baseline.
    state_dir: &'static str,
}

impl Places {
    /// Whether scripts are shell scripts for Linux.
    pub(crate) fn is_linux(&self) -> bool {
        self.platform == Platform::Linux.name()
    }

    /// The places of the tasks of the environment with this spec.
    pub(crate) fn of(spec: &Value) -> Self {
        let platform = Platform::of_spec(spec);
        let (result_file, state_dir) = match platform {
            Platform::Linux => ("/tmp/<task>_result.json", "/var/lib/task_state/<task>"),
            Platform::MacOs => ("/tmp/<task>_result.json", "/var/db/task_state/<task>"),
            Platform::Windows => (r"C:\tmp\<task>_result.json", r"C:\ProgramData\task_state\<task>"),
            Platform::Android => ("/sdcard/<task>_result.json", "/data/local/tmp/task_state/<task>"),
        };
        let separator = if platform == Platform::Windows { r"\" } else { "/" };
        let task_dir = format!("{}{separator}<task>", tasks_dir(spec, platform));
        let script = format!("{task_dir}{separator}setup_task{}", platform.script_extension());
        let hook_command = match platform {
            Platform::Linux | Platform::MacOs => script,
            Platform::Android => format!("sh {script}"),
            Platform::Windows => {
                format!("powershell -ExecutionPolicy Bypass -File {}", script.replace('\\', r"\\"))
            }
        };
        Self {
            platform: platform.name(),
            ext: platform.script_extension(),
            separator,
            task_dir,
            hook_command,
            result_file,
            state_dir,
        }
    }
}

/// Where the environment mounts its tasks; the usual place if it does not say so.
fn tasks_dir(spec: &Value, platform: Platform) -> String {
    let mounts = spec.get("mounts").and_then(Value::as_list).unwrap_or_default();
    let text = |mount: &Value, key: &str| mount.get(key).and_then(Value::as_str).map(str::to_owned);
    let of_tasks = mounts.iter().find(|mount| {
        text(mount, "source").is_some_and(|source| source.trim_end_matches('/').ends_with("/tasks"))
    });
    let target = of_tasks.and_then(|mount| text(mount, "target"));
    let usual = match platform {
        Platform::Linux | Platform::Windows => "/workspace/tasks",
        Platform::Android => "/sdcard/tasks",
        Platform::MacOs => "/Users/lume/workspace/tasks",
    };
    let dir = target.as_deref().unwrap_or(usual).trim_end_matches(['/', '\\']);
    if platform != Platform::Windows {
        return dir.to_owned();
    }
    let windows = dir.replace('/', r"\");
    if windows.starts_with('\\') { format!("C:{windows}") } else { windows }
}

#[cfg(test)]
mod tests {
    use task_spec::pyjson;

    use super::*;

    #[test]
    fn hooks_are_commands_of_the_platform() {
        let places = |base: &str, mount: &str| {
            let mount = mount.replace('\\', r"\\");
            let spec = format!(
                r#"{{"base": "{base}", "mounts": [{{"source": "envs/a_env/tasks/", "target": "{mount}"}}]}}"#
            );
            Places::of(&pyjson::parse(&spec).unwrap())
        };
        assert_eq!(places("", "/srv/tasks/").hook_command, "/srv/tasks/<task>/setup_task.sh");
        assert_eq!(places("android-14", "/sdcard/t").hook_command, "sh /sdcard/t/<task>/setup_task.sh");
        let windows =
            r"powershell -ExecutionPolicy Bypass -File C:\\workspace\\tasks\\<task>\\setup_task.ps1";
        assert_eq!(places("windows-11", "/workspace/tasks").hook_command, windows);
        assert_eq!(places("windows-11", r"C:\workspace\tasks").hook_command, windows);
        assert_eq!(places("windows-11", "/workspace/tasks").task_dir, r"C:\workspace\tasks\<task>");
        let unmounted = Places::of(&pyjson::parse("{}").unwrap());
        assert_eq!(unmounted.hook_command, "/workspace/tasks/<task>/setup_task.sh");
    }
}
