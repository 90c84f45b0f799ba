//! The seeds of an environment: the tasks that others are derived from, and the files that list them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use common::environment::{Environment, task_spec};
use common::publish::{PublishError, write_json};
use fs_err as fs;

/// The list below `tasks/` that new seeds are added to.
const NEW_SEEDS: &str = "seed_tasks.json";

/// The lists of seeds below `tasks/`, in the order in which they are read.
const LISTS: [&str; 2] = ["seed_tasks2.json", NEW_SEEDS];

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
            Self::NotAList { .. } => Some("fix it or move it away"),
        }
    }
}

/// Names of the seeds: those in `seed_tasks2.json`, then those in `seed_tasks.json`; if neither names any, the
/// five oldest tasks. Names without a task are left out.
pub fn names(environment: &Environment) -> Result<Vec<String>, SeedsError> {
    let mut names: Vec<String> = Vec::new();
    for list in LISTS {
        for name in read(&environment.tasks_dir().join(list))?.unwrap_or_default() {
            if !names.contains(&name) && task_spec(&environment.task_dir(&name)).is_some() {
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
    let mut names = read(&path)?.unwrap_or_default();
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
        let path = tasks.join(list);
        let Some(mut names) = read(&path)? else { continue };
        let before = names.len();
        names.retain(|name| name != task);
        if names.len() < before {
            write(&path, &names)?;
        }
    }
    Ok(())
}

/// The names in a list; `None` if there is no such file.
fn read(path: &Path) -> Result<Option<Vec<String>>, SeedsError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match serde_json::from_str(&text) {
        Ok(names) => Ok(Some(names)),
        Err(why) => Err(SeedsError::NotAList { path: path.to_owned(), why }),
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
        assert_eq!(read(&list_path(&env)).unwrap().unwrap(), ["z", "a", "b"]);
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
}
