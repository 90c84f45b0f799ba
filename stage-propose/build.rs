//! Embeds the task-creation notes in the program, so that it needs no other files.

use std::fmt::Write;
use std::path::Path;
use std::{env, io};

use fs_err as fs;
use walkdir::WalkDir;

fn main() -> io::Result<()> {
    // Asked at run time: checkouts that share a target folder also share the compiled build script.
    let package =
        env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("cargo sets CARGO_MANIFEST_DIR"))?;
    let notes = Path::new(&package).join("../notes");
    println!("cargo::rerun-if-changed={}", notes.display());
    let mut pages = Vec::new();
    for entry in WalkDir::new(&notes) {
        let path = entry?.into_path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let page = path.strip_prefix(&notes).map_err(io::Error::other)?;
            pages.push(page.to_string_lossy().into_owned());
        }
    }
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
