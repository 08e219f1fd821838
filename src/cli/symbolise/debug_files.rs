//! Where distributions put debug information that was stripped from a module.

use super::image::Elf;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The separate debug file of a module: by build id, then by its `.gnu_debuglink`.
///
/// The candidate must carry the same build id; a module without one is matched by the checksum of the link.
pub fn find(module: &Path, elf: &Elf, root: &Path) -> Option<PathBuf> {
    let mut candidates = Vec::new();
    candidates.extend(by_build_id(&elf.build_id, root));
    let link = elf.debug_link.as_ref();
    if let (Some((name, _)), Some(directory)) = (link, module.parent()) {
        let name = OsStr::from_bytes(name);
        // A name only: a path would lead anywhere.
        if Path::new(name).components().count() == 1 && name != ".." {
            candidates.push(directory.join(name));
            candidates.push(directory.join(".debug").join(name));
            candidates.push(root.join(directory.strip_prefix("/").unwrap_or(directory)).join(name));
        }
    }
    candidates.into_iter().find(|path| match Elf::open(path) {
        Ok(other) if !elf.build_id.is_empty() => other.build_id == elf.build_id && path != module,
        Ok(_) => link.is_some_and(|(_, sum)| checksum(path) == Some(*sum)),
        Err(_) => false,
    })
}

/// `ROOT/.build-id/ab/cdef….debug`.
pub fn by_build_id(id: &[u8], root: &Path) -> Option<PathBuf> {
    let (first, rest) = id.split_first()?;
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    Some(root.join(".build-id").join(hex(&[*first])).join(hex(rest) + ".debug"))
}

/// The CRC-32 that `.gnu_debuglink` holds, of the whole file.
fn checksum(path: &Path) -> Option<u32> {
    use std::io::Read;
    let (mut file, _) = crate::files::open(path).ok()?;
    let mut buffer = vec![0; 1 << 16];
    let mut crc = !0u32;
    loop {
        let n = file.read(&mut buffer).ok()?;
        if n == 0 {
            return Some(!crc);
        }
        for byte in &buffer[..n] {
            crc = crc >> 8 ^ CRC[(crc as u8 ^ byte) as usize];
        }
    }
}

const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut value = i as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[i] = value;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_build_id() {
        assert_eq!(by_build_id(&[0xab, 1, 2], Path::new("/d")), Some("/d/.build-id/ab/0102.debug".into()));
        assert_eq!(by_build_id(&[], Path::new("/d")), None);
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"123456789").unwrap();
        assert_eq!(checksum(file.path()), Some(0xcbf4_3926));
    }
}
