//! The task that lints look at.

use std::cell::OnceCell;
use std::path::Path;

use common::read::read_regular;
use task_spec::checklist::{CHECKLIST, EVIDENCE, environment_text};
use task_spec::platform::Platform;
use task_spec::pyjson::{self, JsonError};
use task_spec::python::Module;
use task_spec::python::ast::StmtFunctionDef;
use task_spec::spec::{NamedVerifier, VerifierRef};
use task_spec::value::Value;
use task_spec::verify::{CheckedEnvironment, CheckedTask, Listing, scripts};

/// The longest file that lints read, in bytes.
const MAX_FILE_BYTES: usize = 1 << 20;

/// A checked task. Its folder is listed once, and each file is read at most once, whatever the number of lints.
pub(crate) struct Subject<'a> {
    folder: &'a Listing,
    task: &'a CheckedTask,
    environment: &'a CheckedEnvironment,
    /// The contents of the files, in the listing's order.
    texts: Vec<OnceCell<Option<String>>>,
    pre_task: OnceCell<Option<String>>,
    post_task: OnceCell<Option<String>>,
    checklist: OnceCell<Option<Result<Value, JsonError>>>,
    evidence: OnceCell<Option<Result<Value, JsonError>>>,
}

/// The function that checks a task, and where it is.
#[derive(Clone, Copy)]
pub(crate) struct Verifier<'a> {
    /// The file in the task folder.
    pub file: &'a str,
    /// The name of the function.
    pub function: &'a str,
    /// The parsed file.
    pub module: &'a Module,
}

/// A hook of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    PreTask,
    PostTask,
}

impl Hook {
    pub(crate) const ALL: [Self; 2] = [Self::PreTask, Self::PostTask];

    /// Its key in the spec.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::PreTask => "pre_task",
            Self::PostTask => "post_task",
        }
    }
}

impl<'a> Subject<'a> {
    pub(crate) fn new(
        folder: &'a Listing,
        task: &'a CheckedTask,
        environment: &'a CheckedEnvironment,
    ) -> Self {
        Self {
            folder,
            task,
            environment,
            texts: vec![OnceCell::new(); folder.len()],
            pre_task: OnceCell::new(),
            post_task: OnceCell::new(),
            checklist: OnceCell::new(),
            evidence: OnceCell::new(),
        }
    }

    /// The task's folder.
    pub(crate) fn folder(&self) -> &'a Path {
        self.folder.folder()
    }

    /// The name of the task's folder.
    pub(crate) fn name(&self) -> &'a str {
        self.folder().file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The task's spec, if it could be read.
    pub(crate) fn spec(&self) -> Option<&'a Value> {
        self.task.spec.as_ref()
    }

    /// A text field of the task's spec.
    pub(crate) fn field(&self, key: &str) -> Option<&'a str> {
        self.spec()?.get(key)?.as_str()
    }

    /// The environment that the task belongs to.
    pub(crate) fn environment(&self) -> &'a CheckedEnvironment {
        self.environment
    }

    /// The platform of the environment.
    pub(crate) fn platform(&self) -> Platform {
        self.environment.spec.as_ref().map_or_else(Platform::default, Platform::of_spec)
    }

    /// The command of a hook.
    pub(crate) fn command(&self, hook: Hook) -> Option<&'a str> {
        self.spec()?.get("hooks")?.get(hook.key())?.as_str()
    }

    /// The name and the text of the shell script that the pre_task hook runs.
    pub(crate) fn setup_script(&self) -> Option<(&str, &str)> {
        let name = self.hook_script(Hook::PreTask).filter(|name| has_ending(name, "sh"))?;
        Some((name, self.text(name)?))
    }

    /// The name of the first file in the task's folder that a hook runs.
    pub(crate) fn hook_script(&self, hook: Hook) -> Option<&str> {
        let script = match hook {
            Hook::PreTask => &self.pre_task,
            Hook::PostTask => &self.post_task,
        };
        script.get_or_init(|| self.find_hook_script(self.command(hook)?)).as_deref()
    }

    fn find_hook_script(&self, command: &str) -> Option<String> {
        let below = format!("tasks/{}/", self.name());
        let found = scripts(command).find_map(|script| {
            let name = script.split_once(&below).map_or(script.as_str(), |(_, name)| name);
            (!name.contains('/')).then(|| name.to_owned())
        });
        found.filter(|name| self.folder.position(name).is_some())
    }

    /// Whether another task of the environment has this name.
    pub(crate) fn is_other_task(&self, name: &str) -> bool {
        let plain = !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "." && name != "..";
        let folder = self.folder().parent().filter(|_| plain && name != self.name());
        folder.is_some_and(|tasks| tasks.join(name).is_dir())
    }

    /// The verifier, if the task has one in its folder and it parses.
    pub(crate) fn verifier(&self) -> Option<Verifier<'a>> {
        let module = self.task.verifier.as_ref()?;
        match NamedVerifier::of(self.spec()?).reference()? {
            VerifierRef::File { file, function } => Some(Verifier { file, function, module }),
            VerifierRef::Module { .. } => None,
        }
    }

    /// Names of the files in the task's folder, sorted; none if it cannot be listed.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.folder.names()
    }

    /// Names of the shell scripts in the task's folder, sorted.
    pub(crate) fn shell_scripts(&self) -> impl Iterator<Item = &str> {
        self.files().filter(|name| has_ending(name, "sh"))
    }

    /// The text of a file in the task's folder; `None` if it cannot be read, is too long or is not UTF-8.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let text = self.texts.get(self.folder.position(name)?)?;
        text.get_or_init(|| self.read_text(name)).as_deref()
    }

    fn read_text(&self, name: &str) -> Option<String> {
        let bytes = read_regular(&self.folder().join(name), MAX_FILE_BYTES).ok()?;
        String::from_utf8(bytes).ok()
    }

    /// The text of a file of the task or of its environment, as people name it.
    pub(crate) fn text_anywhere(&self, name: &str) -> Option<String> {
        let below = format!("tasks/{}/", self.name());
        let short = name.split_once(&below).map_or(name, |(_, short)| short);
        let text = self.text(short).map(str::to_owned);
        text.or_else(|| environment_text(&self.environment.root, name))
    }

    /// The checklist; `None` without one.
    pub(crate) fn checklist(&self) -> Option<&Result<Value, JsonError>> {
        self.checklist.get_or_init(|| self.text(CHECKLIST).map(pyjson::parse)).as_ref()
    }

    /// The evidence for the checklist's privileged information; `None` without one.
    pub(crate) fn evidence(&self) -> Option<&Result<Value, JsonError>> {
        self.evidence.get_or_init(|| self.text(EVIDENCE).map(pyjson::parse)).as_ref()
    }
}

impl<'a> Verifier<'a> {
    /// The function that is called.
    pub(crate) fn entry(&self) -> Option<&'a StmtFunctionDef> {
        self.module.function(self.function)
    }
}

/// Whether a file name has this extension.
pub(crate) fn has_ending(name: &str, ending: &str) -> bool {
    let stem = name.strip_suffix(ending).and_then(|stem| stem.strip_suffix('.'));
    stem.is_some_and(|stem| !stem.is_empty() && !stem.ends_with('/'))
}
