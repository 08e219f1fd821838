//! The proof that another thread waits inside an object of libc: the kernel says which address it sleeps on.
//!
//! Why: that a thread has called a wait and has not come back says little. It may have been woken and not run yet, and is then
//! no waiter any more; it may have been cancelled, and is on its way out. POSIX lets a program destroy a condition variable
//! right behind its broadcast.
//!
//! Asked only where a finding is about to be made. Opens a file of /proc for a moment.

use crate::sys;
use record::text::Line;

/// A thread that has only just called is not asleep yet: so often is it looked, as long as it may still come.
const LOOKS: u32 = 64;

/// Does the thread sleep on a futex in these bytes? False where the kernel does not say.
///
/// `still` is whether it may yet fall asleep there.
pub fn sleeps_in(tid: u32, object: usize, len: usize, still: impl Fn() -> bool) -> bool {
    for _ in 0..LOOKS {
        match asleep_on(tid) {
            Some(At::Futex(address)) => return (object..object + len).contains(&address) && still(),
            Some(At::Running) if still() => sys::sched_yield(),
            _ => return false,
        }
    }
    false
}

enum At {
    Futex(usize),
    Running,
    Elsewhere,
}

/// `/proc/self/task/TID/syscall`: `202 0x7ffe… …`, or `running`.
fn asleep_on(tid: u32) -> Option<At> {
    let mut path = [0; 64];
    let mut line = Line::new(&mut path);
    line.text("/proc/self/task/").number(u64::from(tid)).text("/syscall\0");
    let fd = sys::open(line.as_bytes(), libc::O_RDONLY | libc::O_CLOEXEC, 0);
    if sys::failed(fd) {
        return None;
    }
    let mut text = [0; 160];
    let len = sys::read(fd as i32, &mut text);
    sys::close(fd as i32);
    parsed(text.get(..usize::try_from(len).ok()?)?)
}

fn parsed(text: &[u8]) -> Option<At> {
    if text.starts_with(b"running") {
        return Some(At::Running);
    }
    let mut words = text.split(|byte| byte.is_ascii_whitespace());
    let number = number(words.next()?, 10)?;
    let address = number_behind_0x(words.next()?)?;
    Some(if is_futex(number) { At::Futex(address as usize) } else { At::Elsewhere })
}

fn number(digits: &[u8], base: u32) -> Option<u64> {
    let value =
        |sum: u64, digit: &u8| Some(sum.wrapping_mul(u64::from(base)) + u64::from((*digit as char).to_digit(base)?));
    digits.iter().try_fold(0, value)
}

fn number_behind_0x(word: &[u8]) -> Option<u64> {
    number(word.strip_prefix(b"0x")?, 16)
}

fn is_futex(call: u64) -> bool {
    // futex_time64 of 32-bit machines.
    call == libc::SYS_futex as u64 || cfg!(target_pointer_width = "32") && call == 422
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_kernel() {
        let futex = format!("{} 0x7f00aa10 0x80 0x0\n", libc::SYS_futex);
        assert!(matches!(parsed(futex.as_bytes()), Some(At::Futex(0x7f00_aa10))));
        assert!(matches!(parsed(b"running\n"), Some(At::Running)));
        assert!(matches!(parsed(b"9999 0x1 0x2\n"), Some(At::Elsewhere)));
        assert!(parsed(b"-1 0x7ffe 0x7f00\n").is_none());
        assert!(parsed(b"").is_none());
    }
}
