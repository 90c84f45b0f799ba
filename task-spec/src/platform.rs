//! The operating system of an environment, which decides how its scripts have to be written.

use common::environment::Environment;

use crate::spec;
use crate::value::{Map, Value};

/// The operating system that the tasks of an environment run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    /// Hooks run as root, in bash.
    #[default]
    Linux,
    /// Hooks are commands of PowerShell, run over SSH as the user.
    Windows,
    /// Hooks run in `adb shell`: no bash, no Python.
    Android,
    /// Hooks run over SSH as the user. gym-anything of May 2026 does not support it.
    MacOs,
}

/// Parts of `base`, `os_type` and `runner` that name a platform. The runner `avf` is not among them: it runs
/// Linux on a Mac.
const NAMED: [(&str, Platform); 4] = [
    ("windows", Platform::Windows),
    ("android", Platform::Android),
    ("avd", Platform::Android),
    ("macos", Platform::MacOs),
];

/// What the hooks of an environment contain on a platform only. They decide where nothing else names one.
const IN_HOOKS: [(&str, Platform); 3] =
    [(".ps1", Platform::Windows), ("powershell", Platform::Windows), ("/sdcard/", Platform::Android)];

impl Platform {
    /// The platform of the environment with this spec: what `base`, `os_type` or `runner` names, else what its
    /// hooks show, else Linux.
    pub fn of_spec(spec: &Value) -> Self {
        let named: Vec<String> = ["base", "os_type", "runner"]
            .iter()
            .filter_map(|key| spec.get(key)?.as_str())
            .map(str::to_ascii_lowercase)
            .collect();
        let hooks = spec.get("hooks").and_then(Value::as_map).into_iter().flat_map(Map::values);
        let hooks: Vec<String> = hooks.filter_map(Value::as_str).map(str::to_ascii_lowercase).collect();
        find(&NAMED, &named).or_else(|| find(&IN_HOOKS, &hooks)).unwrap_or_default()
    }

    /// The platform of an environment; Linux if its spec cannot be read.
    pub fn of(environment: &Environment) -> Self {
        spec::read_environment(environment).map_or_else(|_| Self::default(), |spec| Self::of_spec(&spec))
    }

    /// Its name in options and in names of pages: `linux`, `windows`, `android` or `macos`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
            Self::Android => "android",
            Self::MacOs => "macos",
        }
    }

    /// The extension of its scripts, with the dot.
    pub fn script_extension(self) -> &'static str {
        match self {
            Self::Windows => ".ps1",
            Self::Linux | Self::Android | Self::MacOs => ".sh",
        }
    }
}

/// The first platform that one of the texts indicates.
fn find(parts: &[(&str, Platform)], texts: &[String]) -> Option<Platform> {
    let found = parts.iter().find(|(part, _)| texts.iter().any(|text| text.contains(part)));
    found.map(|(_, platform)| *platform)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pyjson;

    #[test]
    fn the_spec_tells_the_platform() {
        let check = |spec: &str, platform: Platform| {
            assert_eq!(Platform::of_spec(&pyjson::parse(spec).unwrap()), platform, "{spec}");
        };
        check(r#"{"base": "windows-11", "os_type": "windows"}"#, Platform::Windows);
        check(r#"{"base": "android-avd-34"}"#, Platform::Android);
        check(r#"{"base": "android-14", "runner": "qemu"}"#, Platform::Android);
        check(r#"{"runner": "avd_native"}"#, Platform::Android);
        check(r#"{"os_type": "macOS"}"#, Platform::MacOs);
        check(r#"{"runner": "avf"}"#, Platform::Linux);
        check(r#"{"base": "ubuntu-gnome-systemd_highres", "runner": "qemu"}"#, Platform::Linux);
        check(r#"{"hooks": {"pre_start": "powershell -File C:\\a\\install.ps1"}}"#, Platform::Windows);
        check(r#"{"hooks": {"post_start": "/sdcard/scripts/setup.sh"}}"#, Platform::Android);
        check(r#"{"id": "windows@1", "hooks": [1]}"#, Platform::Linux);
        check("[]", Platform::Linux);
    }
}
