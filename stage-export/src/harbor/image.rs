//! The image of an environment: a Dockerfile, and the files that it copies.

use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use common::environment::{Environment, Workspace};
use common::fingerprint::sha256_hex;
use common::read::read_regular;
use fs_err as fs;
use task_spec::files::{Entry, walk};
use task_spec::machine::{DESKTOP, EnvironmentSpec, Mount, accounts_script, quote};

use crate::exported::TaskFile;
use crate::folder::Folder;

/// The largest file of an environment that is exported, in bytes.
const MAX_FILE: usize = 512 << 20;

/// Where tasks are where the environment does not mount its tasks.
const TASKS: &str = "/workspace/tasks";

const DOCKERFILE: &str = "\
# Built by build_images.sh.
ARG BASE
FROM ${BASE}
USER root
COPY files/ /
COPY *.sh /opt/task-environment/
RUN sh /opt/task-environment/install.sh
";

/// The image of an environment.
pub(super) struct Image {
    /// What running it needs of its spec.
    pub(super) spec: EnvironmentSpec,
    /// The folder of the tasks in the container.
    pub(super) tasks: String,
    /// Its name, with a tag that changes with its content.
    pub(super) name: String,
    /// The files of the build context: name and file.
    files: Vec<(String, TaskFile)>,
}

impl Image {
    /// Reads the files of an environment.
    pub(super) fn read(environment: &Environment, workspace: &Workspace) -> Result<Self> {
        let spec = EnvironmentSpec::read(environment)?;
        spec.ensure_container()?;
        let tasks_dir = environment.tasks_dir().canonicalize().unwrap_or_else(|_| environment.tasks_dir());
        let mut files = Vec::new();
        let mut tasks = TASKS.to_owned();
        for mount in spec.mounts(environment, workspace)? {
            if let Ok(below) = tasks_dir.strip_prefix(&mount.source) {
                let below = below.to_string_lossy();
                tasks = format!("{}/{below}", mount.target.trim_end_matches('/'));
            }
            add_mount(&mount, &tasks_dir, &mut files)
                .with_context(|| format!("cannot read {}", mount.source.display()))?;
        }
        let tasks = tasks.trim_end_matches('/').to_owned();
        let accounts = accounts_script(&spec.user_accounts);
        for (name, text) in [
            ("Dockerfile", DOCKERFILE),
            ("accounts.sh", &accounts),
            ("desktop.sh", DESKTOP),
            ("install.sh", include_str!("scripts/install.sh")),
            ("lib.sh", include_str!("scripts/lib.sh")),
            ("ready.sh", include_str!("scripts/ready.sh")),
            ("settings.sh", &settings(&spec, &tasks)),
            // `COPY files/` fails without a file.
            ("files/opt/task-environment/.keep", ""),
        ] {
            files.push((name.to_owned(), TaskFile { bytes: text.as_bytes().to_vec(), executable: false }));
        }
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        let name = format!("task-environments/{}:{}", repository(&environment.name), tag(&files));
        Ok(Self { spec, tasks, name, files })
    }

    /// Adds the build context to an export, below `at`.
    pub(super) fn add(&self, folder: &mut Folder, at: &str) {
        for (name, file) in &self.files {
            folder.add_file(format!("{at}/{name}"), file);
        }
        folder.add(format!("{at}/image.txt"), format!("{}\n", self.name));
    }
}

/// Adds the files of a mount, but those of tasks, which are not part of the image.
fn add_mount(mount: &Mount, tasks: &Path, files: &mut Vec<(String, TaskFile)>) -> Result<()> {
    let target = Path::new(&mount.target);
    let is_plain = target.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    ensure!(
        target.is_absolute() && is_plain,
        "the target {} of a mount is not an absolute path",
        mount.target
    );
    let at = format!("files/{}", mount.target.trim_matches('/'));
    if mount.source.is_file() {
        files.push((at, read(&mount.source)?));
        return Ok(());
    }
    let skipped = |name: &str| name != "__pycache__" && name != ".git";
    for entry in walk(&mount.source, usize::MAX, skipped) {
        let Entry { path, name, kind } = entry?;
        if path.starts_with(tasks) {
            continue;
        }
        let Some(name) = name else { bail!("the name of {} is not UTF-8", path.display()) };
        ensure!(kind.is_file(), "{} is a link, or no file", path.display());
        files.push((format!("{at}/{name}"), read(&path)?));
    }
    Ok(())
}

fn read(path: &Path) -> Result<TaskFile> {
    let bytes = read_regular(path, MAX_FILE).with_context(|| format!("cannot read {}", path.display()))?;
    let executable = fs::symlink_metadata(path)?.permissions().mode() & 0o100 != 0;
    Ok(TaskFile { bytes, executable })
}

/// What the scripts of the image have to know, as variables of a shell.
fn settings(spec: &EnvironmentSpec, tasks: &str) -> String {
    let (width, height) = spec.resolution();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let values = [
        ("display", spec.display().to_owned()),
        ("tasks", tasks.to_owned()),
        ("width", width.to_string()),
        ("height", height.to_string()),
        ("desktop_user", spec.desktop_user().to_owned()),
        ("hook_user", spec.user().to_owned()),
        ("entrypoint", text(&spec.entrypoint)),
        ("pre_start", text(&spec.hooks.pre_start)),
        ("post_start", text(&spec.hooks.post_start)),
        ("reset", text(&spec.reset_script.clone().or_else(|| spec.hooks.reset.clone()))),
    ];
    let lines = values.iter().map(|(name, value)| format!("{name}={}", quote(value)));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// A tag that changes with any file.
fn tag(files: &[(String, TaskFile)]) -> String {
    let parts =
        files.iter().map(|(name, file)| format!("{name} {} {}", file.executable, sha256_hex(&file.bytes)));
    let mut tag = sha256_hex(parts.collect::<Vec<_>>().join("\n").as_bytes());
    tag.truncate(16);
    tag
}

/// The name of an environment as part of the name of an image: lower-case letters, digits and single hyphens.
fn repository(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let parts = lower.split(|char: char| !char.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let clean = parts.collect::<Vec<_>>().join("-");
    if clean.is_empty() { "env".to_owned() } else { clean }
}
