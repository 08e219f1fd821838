//! Which libshim.so a program is given.
//!
//! ```text
//! DIR/shim, DIR/libshim.so                     where cargo builds them
//! PREFIX/bin/shim, PREFIX/lib/libshim.so       that of the command's own architecture
//! PREFIX/lib/shim/ARCH/libshim.so              one per architecture
//! ```
//!
//! With the last layout LD_PRELOAD holds `PREFIX/lib/shim/$PLATFORM/libshim.so`, and the loader of each process puts its own
//! architecture there: a 64-bit shell may run a 32-bit program, which runs a 64-bit one. Why not `$LIB`: it is `lib` for 64 bits on
//! one distribution and for 32 on the next. `$PLATFORM` is the processor, and up to glibc 2.36 its family: [`PLATFORMS`], which are
//! links beside the folders.
//!
//! Why nowhere else: the command and the library share the format of the recording, so they come from one build.

use crate::doctor::program::Elf;
use crate::escape::shown;
use std::path::{Path, PathBuf};

pub const NAME: &str = "libshim.so";

/// What loaders put for `$PLATFORM`, beside the name of the architecture itself.
const PLATFORMS: &[(&str, &[&str])] =
    &[("x86_64", &["haswell", "xeon_phi"]), ("i686", &["i386", "i486", "i586"]), ("aarch64", &[])];

/// The library for a program.
#[derive(Debug, PartialEq)]
pub struct Library {
    pub file: PathBuf,
    /// What LD_PRELOAD is told.
    pub preload: PathBuf,
}

fn own_directory() -> Result<PathBuf, String> {
    let exe = std::env::current_exe().map_err(|e| format!("{NAME}: cannot tell where shim is: {e}"))?;
    Ok(exe.parent().unwrap_or(Path::new("/")).to_owned())
}

/// The command's own architecture.
fn own() -> &'static str {
    if cfg!(target_arch = "x86") { "i686" } else { std::env::consts::ARCH }
}

/// That of the command's own architecture.
pub fn find() -> Result<PathBuf, String> {
    find_from(&own_directory()?, own())
}

/// That of a program. `None`: what it is made of is not known; the system will say.
pub fn find_for(program: &Path, elf: Option<&Elf>) -> Result<Library, String> {
    let directory = own_directory()?;
    let own = own();
    match elf.and_then(|elf| Some((elf, architecture(elf.machine, elf.is_64)?))) {
        Some((elf, wanted)) => choose(&directory, wanted, own).map_err(|looked| {
            let looked = looked.map_or_else(String::new, |place| format!(": {} is not there", shown(place)));
            format!("{}: it is a {} program, and there is no {NAME} for it{looked}", shown(program), elf.machine_name())
        }),
        None => choose(&directory, own, own).or_else(|_| find_from(&directory, own).map(plain)),
    }
}

/// The name of the folder.
fn architecture(machine: u16, is_64: bool) -> Option<&'static str> {
    match (machine, is_64) {
        (object::elf::EM_X86_64, true) => Some("x86_64"),
        (object::elf::EM_386, false) => Some("i686"),
        (object::elf::EM_AARCH64, true) => Some("aarch64"),
        _ => None,
    }
}

fn folders(directory: &Path) -> Option<PathBuf> {
    directory.parent().map(|prefix| prefix.join("lib/shim"))
}

/// The error: which file would have been right.
fn choose(directory: &Path, wanted: &str, own: &str) -> Result<Library, Option<PathBuf>> {
    let missing = match folders(directory) {
        Some(folders) => {
            let of = |name: &str| folders.join(name).join(NAME);
            let links = PLATFORMS.iter().find(|(name, _)| *name == wanted).map_or(&[][..], |(_, links)| links);
            if of(wanted).is_file() {
                // Without its links a folder is found by its own path only.
                let preload = if links.iter().all(|link| of(link).is_file()) { of("$PLATFORM") } else { of(wanted) };
                return Ok(Library { file: of(wanted), preload });
            }
            Some(of(wanted))
        }
        None => None,
    };
    if wanted != own {
        return Err(missing);
    }
    find_from(directory, own).map(plain).map_err(|_| missing)
}

fn plain(file: PathBuf) -> Library {
    Library { preload: file.clone(), file }
}

fn find_from(directory: &Path, own: &str) -> Result<PathBuf, String> {
    let above = directory.parent().map(|p| p.join("lib").join(NAME));
    let folder = folders(directory).map(|folders| folders.join(own).join(NAME));
    [Some(directory.join(NAME)), above, folder]
        .into_iter()
        .flatten()
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{NAME}: not found in {} or {}", shown(directory), shown(directory.join("../lib"))))
}

/// The dynamic loader splits LD_PRELOAD at spaces and colons, replaces what follows a dollar, and nothing can be quoted.
pub fn preloadable(library: &Library) -> Result<(), String> {
    if library.file.as_os_str().as_encoded_bytes().iter().any(|b| b" :\t\n$".contains(b)) {
        return Err(format!(
            "{}: LD_PRELOAD cannot hold a path with spaces, colons or dollars; install shim elsewhere",
            shown(&library.file)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: PathBuf) -> PathBuf {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        path
    }

    #[test]
    fn beside_first_and_then_in_lib() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin");
        assert!(find_from(&bin, "x86_64").is_err());
        let folder = touch(root.path().join("lib/shim/x86_64").join(NAME));
        assert_eq!(find_from(&bin, "x86_64"), Ok(folder));
        let lib = touch(root.path().join("lib").join(NAME));
        assert_eq!(find_from(&bin, "x86_64"), Ok(lib));
        let beside = touch(bin.join(NAME));
        assert_eq!(find_from(&bin, "x86_64"), Ok(beside));
    }

    #[test]
    fn the_one_that_fits() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin");
        let folders = root.path().join("lib/shim");
        let wide = touch(folders.join("x86_64").join(NAME));
        let missing = folders.join("i686").join(NAME);
        assert_eq!(choose(&bin, "i686", "x86_64"), Err(Some(missing.clone())));
        // No links yet.
        assert_eq!(choose(&bin, "x86_64", "x86_64"), Ok(plain(wide.clone())));
        for link in ["haswell", "xeon_phi"] {
            std::os::unix::fs::symlink("x86_64", folders.join(link)).unwrap();
        }
        let preload = folders.join("$PLATFORM").join(NAME);
        assert_eq!(choose(&bin, "x86_64", "x86_64"), Ok(Library { file: wide, preload: preload.clone() }));
        touch(missing.clone());
        for link in ["i386", "i486", "i586"] {
            std::os::unix::fs::symlink("i686", folders.join(link)).unwrap();
        }
        assert_eq!(choose(&bin, "i686", "x86_64"), Ok(Library { file: missing, preload }));
    }

    #[test]
    fn only_the_own_one_is_there() {
        let root = tempfile::tempdir().unwrap();
        let beside = touch(root.path().join("bin").join(NAME));
        let bin = root.path().join("bin");
        assert_eq!(choose(&bin, "x86_64", "x86_64"), Ok(plain(beside)));
        assert!(choose(&bin, "i686", "x86_64").is_err());
        assert_eq!(architecture(3, false), Some("i686"));
        assert_eq!((architecture(62, false), architecture(243, true)), (None, None));
    }

    #[test]
    fn a_path_that_ld_preload_cannot_hold() {
        let of = |path: &str| preloadable(&plain(PathBuf::from(path)));
        assert!(of("/opt/shim/lib/libshim.so").is_ok());
        for path in ["/opt/my tools/libshim.so", "/opt/a:b/libshim.so", "/opt/$LIB/libshim.so"] {
            assert!(of(path).is_err(), "{path}");
        }
    }
}
