//! The seeds of an environment: the tasks that others are derived from, and the files that list them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use common::environment::{Environment, is_folder_name, task_spec};
use common::publish::{PublishError, write_json};
use common::read::{FileError, read_beneath};
use fs_err as fs;

/// The list below `tasks/` that new seeds are added to.
const NEW_SEEDS: &str = "seed_tasks.json";

/// The lists of seeds below `tasks/`, in the order in which they are read.
const LISTS: [&str; 2] = ["seed_tasks2.json", NEW_SEEDS];

/// The longest list that is read, in bytes. Ten thousand names of the maximum length have 0.9 MB.
const MAX_BYTES: usize = 4 << 20;

/// How many of the oldest tasks serve as seeds if no list names any.
const OLDEST_SEEDS: usize = 5;

/// Why the seeds cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SeedsError {
    /// A file or folder cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A list cannot be replaced.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A list cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: FileError,
    },
    /// The file is not a list of names.
    #[error("{} is not a JSON array of task names: {why}", path.display())]
    NotAList {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: serde_json::Error,
    },
}

impl SeedsError {
    /// What to do about it, if there is more to say than the message does.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io(_) => None,
            Self::Publish(error) => error.hint(),
            Self::Unreadable { .. } | Self::NotAList { .. } => Some("fix it or move it away"),
        }
    }
}

/// Names of the seeds: those in `seed_tasks2.json`, then those in `seed_tasks.json`; if neither names any, the
/// five oldest tasks. Names without a task are left out.
pub fn names(environment: &Environment) -> Result<Vec<String>, SeedsError> {
    let mut names: Vec<String> = Vec::new();
    for list in LISTS {
        for name in read(&environment.root, &Path::new("tasks").join(list))?.unwrap_or_default() {
            let is_new = !names.contains(&name);
            if is_new && is_folder_name(&name) && task_spec(&environment.task_dir(&name)).is_some() {
                names.push(name);
            }
        }
    }
    if names.is_empty() { Ok(oldest_tasks(environment)?) } else { Ok(names) }
}

/// Path of the list that [`add`] adds to.
pub fn list_path(environment: &Environment) -> PathBuf {
    environment.tasks_dir().join(NEW_SEEDS)
}

/// Adds names to the environment's list of seeds, after those that are in it, and returns how many were new.
/// A file that is not a list of names is left as it is, and is an error.
pub fn add(environment: &Environment, new: &[String]) -> Result<usize, SeedsError> {
    let path = list_path(environment);
    let mut names = read(&environment.root, &Path::new("tasks").join(NEW_SEEDS))?.unwrap_or_default();
    let before = names.len();
    for name in new {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let added = names.len() - before;
    if added > 0 {
        fs::create_dir_all(environment.tasks_dir())?;
        write(&path, &names)?;
    }
    Ok(added)
}

/// Takes a task out of the lists in the folder `tasks` that name it.
pub fn remove(tasks: &Path, task: &str) -> Result<(), SeedsError> {
    for list in LISTS {
        let Some(mut names) = read(tasks, Path::new(list))? else { continue };
        let before = names.len();
        names.retain(|name| name != task);
        if names.len() < before {
            write(&tasks.join(list), &names)?;
        }
    }
    Ok(())
}

/// The names in the list `name` below `root`; `None` if it does not exist.
fn read(root: &Path, name: &Path) -> Result<Option<Vec<String>>, SeedsError> {
    let path = root.join(name);
    let bytes = match read_beneath(root, name, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(why) if why.is_not_found() => return Ok(None),
        Err(why) => return Err(SeedsError::Unreadable { path, why }),
    };
    match serde_json::from_slice(&bytes) {
        Ok(names) => Ok(Some(names)),
        Err(why) => Err(SeedsError::NotAList { path, why }),
    }
}

fn write(path: &Path, names: &[String]) -> Result<(), SeedsError> {
    Ok(write_json(path, &names)?)
}

fn oldest_tasks(environment: &Environment) -> io::Result<Vec<String>> {
    let mut tasks: Vec<(SystemTime, String)> = Vec::new();
    for name in environment.task_names()? {
        let modified = fs::metadata(environment.task_dir(&name))?.modified()?;
        tasks.push((modified, name));
    }
    tasks.sort_unstable();
    Ok(tasks.into_iter().take(OLDEST_SEEDS).map(|(_, name)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(tasks: &[&str]) -> (tempfile::TempDir, Environment) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("demo_env");
        fs::create_dir_all(root.join("tasks")).unwrap();
        fs::write(root.join("env.json"), "{}").unwrap();
        for task in tasks {
            fs::create_dir(root.join("tasks").join(task)).unwrap();
            fs::write(root.join("tasks").join(task).join("task.json"), "{}").unwrap();
        }
        let environment = Environment::open(&root).unwrap();
        (dir, environment)
    }

    #[test]
    fn the_second_list_is_read_first() {
        let (_dir, env) = environment(&["a", "b", "c"]);
        fs::write(env.tasks_dir().join("seed_tasks.json"), r#"["a", "b", "gone"]"#).unwrap();
        fs::write(env.tasks_dir().join("seed_tasks2.json"), r#"["c", "a"]"#).unwrap();
        assert_eq!(names(&env).unwrap(), ["c", "a", "b"]);
    }

    #[test]
    fn without_a_list_the_oldest_tasks_are_seeds() {
        let (_dir, env) = environment(&["t1", "t2", "t3", "t4", "t5", "t6", "t7"]);
        let old = SystemTime::UNIX_EPOCH;
        let t7 = fs::File::open(env.task_dir("t7")).unwrap();
        t7.file().set_modified(old).unwrap();
        let seeds = names(&env).unwrap();
        assert_eq!((seeds.len(), seeds[0].as_str()), (5, "t7"));
    }

    #[test]
    fn new_names_come_after_those_in_the_list() {
        let (_dir, env) = environment(&[]);
        fs::write(list_path(&env), r#"["z", "a"]"#).unwrap();
        let new = ["b".to_owned(), "a".to_owned()];
        assert_eq!((add(&env, &new).unwrap(), add(&env, &new).unwrap()), (1, 0));
        assert_eq!(read(&env.tasks_dir(), Path::new(NEW_SEEDS)).unwrap().unwrap(), ["z", "a", "b"]);
        remove(&env.tasks_dir(), "a").unwrap();
        assert_eq!(fs::read_to_string(list_path(&env)).unwrap(), "[\n  \"z\",\n  \"b\"\n]\n");
    }

    #[test]
    fn a_list_is_created_if_there_is_none() {
        let (_dir, env) = environment(&[]);
        fs::remove_dir(env.tasks_dir()).unwrap();
        assert_eq!(add(&env, &["b".to_owned()]).unwrap(), 1);
    }

    #[test]
    fn a_file_of_another_shape_is_left_alone() {
        let (_dir, env) = environment(&["a"]);
        for other in [r#"{"a": 1}"#, "[1, 2]", "torn"] {
            fs::write(list_path(&env), other).unwrap();
            let error = add(&env, &["b".to_owned()]).unwrap_err();
            assert!(
                error.to_string().contains("seed_tasks.json is not a JSON array of task names: "),
                "{error}"
            );
            assert_eq!(names(&env).unwrap_err().hint(), Some("fix it or move it away"));
            assert_eq!(fs::read_to_string(list_path(&env)).unwrap(), other);
        }
    }

    #[test]
    fn d1_a_seed_is_the_name_of_a_task_and_no_path() {
        let (_dir, env) = environment(&["a"]);
        fs::write(list_path(&env), r#"["../tasks/a", "a", "."]"#).unwrap();
        assert_eq!(names(&env).unwrap(), ["a"]);
    }

    #[test]
    fn d2_a_list_that_is_a_pipe_or_a_link_is_refused() {
        let (dir, env) = environment(&["a"]);
        let list = list_path(&env);
        rustix::fs::mkfifoat(rustix::fs::CWD, &list, rustix::fs::Mode::RWXU).unwrap();
        assert!(names(&env).unwrap_err().to_string().ends_with("it is not a regular file"));
        fs::remove_file(&list).unwrap();
        fs::write(dir.path().join("list.json"), r#"["a"]"#).unwrap();
        std::os::unix::fs::symlink(dir.path().join("list.json"), &list).unwrap();
        assert!(names(&env).unwrap_err().to_string().contains("it is a symbolic link"));
    }
}
