//! Puts the task-creation notes into the program, so that it needs no files beside it.

use std::fmt::Write;
use std::path::Path;
use std::{env, io};

use fs_err as fs;

fn main() -> io::Result<()> {
    let notes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../notes");
    println!("cargo::rerun-if-changed={}", notes.display());
    let mut pages = Vec::new();
    find_pages(&notes, "", &mut pages)?;
    pages.sort_unstable();

    let mut list = String::from("&[\n");
    for page in pages {
        let path = notes.join(&page).display().to_string();
        writeln!(list, "    ({page:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("notes.rs"), list)
}

fn find_pages(dir: &Path, prefix: &str, pages: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            find_pages(&entry.path(), &format!("{name}/"), pages)?;
        } else if entry.path().extension().is_some_and(|extension| extension == "md") {
            pages.push(name);
        }
    }
    Ok(())
}
