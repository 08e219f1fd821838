//! Where libshim.so is: beside the command, or in `../lib` of its directory.
//!
//! Why nowhere else: the command and the library share the format of the recording, so they come from one build.

use crate::escape::shown;
use std::path::{Path, PathBuf};

pub const NAME: &str = "libshim.so";

pub fn find() -> Result<PathBuf, String> {
    let exe = std::env::current_exe().map_err(|e| format!("{NAME}: cannot tell where shim is: {e}"))?;
    let directory = exe.parent().unwrap_or(Path::new("/"));
    find_from(directory)
        .ok_or_else(|| format!("{NAME}: not found in {} or {}", shown(directory), shown(directory.join("../lib"))))
}

fn find_from(directory: &Path) -> Option<PathBuf> {
    let above = directory.parent().map(|p| p.join("lib").join(NAME));
    [Some(directory.join(NAME)), above].into_iter().flatten().find(|path| path.is_file())
}

/// The dynamic loader splits LD_PRELOAD at these, and nothing can be quoted.
pub fn preloadable(library: &Path) -> Result<(), String> {
    if library.as_os_str().as_encoded_bytes().iter().any(|b| b" :\t\n".contains(b)) {
        return Err(format!(
            "{}: LD_PRELOAD cannot hold a path with spaces or colons; install shim elsewhere",
            shown(library)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_first_and_then_in_lib() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin");
        let lib = root.path().join("lib");
        std::fs::create_dir(&bin).unwrap();
        std::fs::create_dir(&lib).unwrap();
        assert_eq!(find_from(&bin), None);
        std::fs::write(lib.join(NAME), "").unwrap();
        assert_eq!(find_from(&bin), Some(lib.join(NAME)));
        std::fs::write(bin.join(NAME), "").unwrap();
        assert_eq!(find_from(&bin), Some(bin.join(NAME)));
    }

    #[test]
    fn a_path_that_ld_preload_cannot_hold() {
        assert!(preloadable(Path::new("/opt/shim/lib/libshim.so")).is_ok());
        assert!(preloadable(Path::new("/opt/my tools/libshim.so")).is_err());
        assert!(preloadable(Path::new("/opt/a:b/libshim.so")).is_err());
    }
}
