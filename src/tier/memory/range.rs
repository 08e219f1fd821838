//! The one range of addresses in which all tiers of the process lie.
//!
//! Each tier has a window of it; all windows are equally large, a power of two, so that the owner of an address is one subtraction, one
//! comparison and one shift. Reserved memory costs nothing but addresses: no page, no page table. Under RLIMIT_AS addresses are
//! what costs: then the range takes at most half of what is left, and windows shrink.

use super::os::{Answer, Errno, Os};
use libc::{MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE};

/// Windows begin at a multiple of it: the largest page there is.
const GRAIN: usize = 1 << 30;
/// Both halves must hold an arena.
const LEAST: usize = 256 << 20;

#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    pub base: usize,
    size: usize,
    shift: u32,
}

impl Range {
    /// Room for so many windows, each of `window` bytes if that can be had.
    pub fn reserve(os: &dyn Os, windows: usize, window: usize) -> Answer<Self> {
        if windows == 0 {
            return Ok(Self::default());
        }
        let left = match os.limit(libc::RLIMIT_AS) {
            u64::MAX => usize::MAX,
            limit => (limit.saturating_sub(taken(os)) / 2) as usize,
        };
        let mut window = window.max(LEAST).next_power_of_two();
        let mut failure = Errno(libc::ENOMEM);
        while window >= LEAST {
            let wanted = windows.checked_mul(window).and_then(|size| size.checked_add(GRAIN));
            if let Some(size) = wanted.filter(|size| *size <= left) {
                match os.mmap(0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) {
                    Ok(at) => return Ok(Self::trimmed(os, at, size, windows * window, window)),
                    Err(error) => failure = error,
                }
            }
            window /= 2;
        }
        Err(failure)
    }

    /// Gives back what lies before and behind a multiple of the grain.
    fn trimmed(os: &dyn Os, at: usize, whole: usize, size: usize, window: usize) -> Self {
        let base = at.next_multiple_of(GRAIN);
        let _ = (base > at).then(|| os.munmap(at, base - at));
        let end = base + size;
        let _ = (at + whole > end).then(|| os.munmap(end, at + whole - end));
        Self { base, size, shift: window.trailing_zeros() }
    }

    /// Bytes, of all windows; 0 = there are none.
    pub fn size(&self) -> usize {
        self.size
    }

    pub fn window(&self) -> usize {
        1 << self.shift
    }

    /// In which window an address is.
    #[inline(always)]
    pub fn index(&self, address: usize) -> Option<usize> {
        let offset = address.wrapping_sub(self.base);
        (offset < self.size).then(|| offset >> self.shift)
    }
}

/// Bytes of address space that the process has.
fn taken(os: &dyn Os) -> u64 {
    let mut text = [0; 64];
    let pages = os.read_file(b"/proc/self/statm\0", &mut text).ok().and_then(|count| {
        let text = core::str::from_utf8(text.get(..count)?).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    pages.unwrap_or(0).saturating_mul(4096)
}
