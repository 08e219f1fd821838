//! How much a file system has, and how much of it is free.
#![allow(unsafe_code)] // Safety: one call, which writes to a local struct.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Bytes in all, and those that this user may have. Nothing when the path cannot be asked.
pub fn of(path: &Path) -> Option<(u64, u64)> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut answer = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `path` ends with a NUL, `answer` has room for the struct.
    if unsafe { libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call succeeded, and all bytes were zero before.
    let answer = unsafe { answer.assume_init() };
    let bytes = |blocks: u64| blocks.checked_mul(answer.f_frsize);
    Some((bytes(answer.f_blocks)?, bytes(answer.f_bavail)?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn of_a_directory_and_of_none() {
        let (total, free) = super::of(std::path::Path::new("/tmp")).unwrap();
        assert!(total > 0 && free <= total);
        assert_eq!(super::of(std::path::Path::new("/no/such/place")), None);
    }
}
