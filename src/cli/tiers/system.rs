//! The small files in which the kernel speaks, below a root.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Longer ones are not read to their end.
const LONGEST: u64 = 1 << 20;

pub struct System {
    root: PathBuf,
}

impl System {
    /// `root` holds `sys`, `proc` and `dev`; this machine's own when nothing is given.
    pub fn new(root: Option<&Path>) -> Self {
        Self { root: root.unwrap_or(Path::new("/")).to_owned() }
    }

    /// A path from the root, with or without its first slash.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.at(path)).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Without what surrounds it.
    pub fn text(&self, path: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(path)?).trim().to_owned())
    }

    pub fn number(&self, path: &str) -> Option<u64> {
        let text = self.text(path)?;
        match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        }
    }

    /// Of several words, the one in brackets.
    pub fn chosen(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())
    }

    /// The names in a directory that begin so and go on with digits, in the order of their numbers.
    pub fn numbered(&self, directory: &str, prefix: &str) -> Vec<u32> {
        let number = |name: &str| name.strip_prefix(prefix)?.parse::<u32>().ok();
        let mut numbers: Vec<u32> = self.names(directory).iter().filter_map(|name| number(name)).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The names in a directory, sorted.
    pub fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(directory)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Where a link leads, as it is written.
    pub fn link(&self, path: &str) -> Option<PathBuf> {
        fs::read_link(self.at(path)).ok()
    }

    /// The last part of where a link leads.
    pub fn linked_name(&self, path: &str) -> Option<String> {
        self.link(path)?.file_name().and_then(OsStr::to_str).map(str::to_owned)
    }

    pub fn exists(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    pub fn is_directory(&self, path: &str) -> bool {
        self.at(path).is_dir()
    }

    /// The version of the kernel.
    pub fn kernel(&self) -> Option<(u32, u32)> {
        let release = self.text("proc/sys/kernel/osrelease")?;
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

/// A path of /proc/mounts, in which blanks are `\040`.
pub fn unescaped(path: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(|b| (b'0'..b'8').contains(b)));
        match octal {
            Some(digits) => {
                out.push(digits.iter().fold(0u8, |value, digit| value << 3 | (digit - b'0')));
                rest = &tail[3..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsStr::from_bytes(&out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_mounts() {
        assert_eq!(unescaped(br"/mnt/a\040b\134c"), Path::new(r"/mnt/a b\c"));
        assert_eq!(unescaped(br"/mnt/a\04"), Path::new(r"/mnt/a\04"));
    }

    #[test]
    fn files_below_a_root() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/sys/kernel")).unwrap();
        let write = |path: &str, text: &str| fs::write(root.path().join(path), text).unwrap();
        write("proc/sys/kernel/osrelease", "6.18.44-fc\n");
        write("proc/mode", "always [madvise] never\n");
        write("proc/hex", "0x200000\n");
        let system = System::new(Some(root.path()));
        assert_eq!(system.kernel(), Some((6, 18)));
        assert_eq!(system.chosen("proc/mode").as_deref(), Some("madvise"));
        assert_eq!((system.number("/proc/hex"), system.number("proc/mode")), (Some(2 << 20), None));
    }
}
