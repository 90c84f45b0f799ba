//! The snapshot pass: usable tasks become seeds of their environment.

use anyhow::{Context, Result};
use common::environment::{Environment, read_names};
use common::publish::write_file_atomic;
use fs_err as fs;

/// Adds `names` to the environment's list of seeds: what is there stays and comes first. Returns how many
/// were new. A file that is no list of names is left as it is, and is an error.
pub(crate) fn merge(environment: &Environment, names: &[String]) -> Result<usize> {
    let path = environment.seed_list();
    let mut seeds = read_names(&path)
        .context("the names of the new tasks were not added to the seeds")?
        .unwrap_or_default();
    let before = seeds.len();
    for name in names {
        if !seeds.contains(name) {
            seeds.push(name.clone());
        }
    }
    let new = seeds.len() - before;
    if new > 0 {
        fs::create_dir_all(environment.tasks_dir())?;
        let mut text = serde_json::to_string_pretty(&seeds)?;
        text.push('\n');
        write_file_atomic(&path, text.as_bytes())?;
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(seeds: Option<&str>) -> (tempfile::TempDir, Environment) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tasks")).unwrap();
        fs::write(dir.path().join("env.json"), "{}").unwrap();
        let environment = Environment::open(dir.path()).unwrap();
        if let Some(seeds) = seeds {
            fs::write(environment.seed_list(), seeds).unwrap();
        }
        (dir, environment)
    }

    #[test]
    fn new_names_come_after_those_that_are_there() {
        let (_dir, environment) = environment(Some(r#"["z", "a"]"#));
        let names = ["b".to_owned(), "a".to_owned()];
        assert_eq!(merge(&environment, &names).unwrap(), 1);
        assert_eq!(merge(&environment, &names).unwrap(), 0);
        assert_eq!(read_names(&environment.seed_list()).unwrap().unwrap(), ["z", "a", "b"]);
    }

    #[test]
    fn a_list_is_begun_where_there_is_none() {
        let (_dir, environment) = environment(None);
        assert_eq!(merge(&environment, &["b".to_owned()]).unwrap(), 1);
    }

    #[test]
    fn what_is_no_list_of_names_is_left_alone() {
        for other in [r#"{"a": 1}"#, "[1, 2]", "torn"] {
            let (_dir, environment) = environment(Some(other));
            merge(&environment, &["b".to_owned()]).unwrap_err();
            assert_eq!(fs::read_to_string(environment.seed_list()).unwrap(), other);
        }
    }
}
