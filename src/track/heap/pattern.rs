//! What redzones and freed blocks are filled with, and where it was overwritten.
//!
//! **Redzones.** A pattern of words that depends on a secret of the process and on where the zone lies, so that a copy of
//! another redzone is damage, too. Every byte is from 0x80 to 0xbf: never NUL, never ASCII, never 0xff, the usual bytes of an
//! access by one. Any other byte passes for the right one with a chance of 1 in 64; two of them in 4096.
//!
//! **Freed blocks.** One byte, [`FREED`]: eight of it are, at any alignment, an address that is not canonical on x86_64 with
//! 48 and with 57 bits, so that a program that follows a pointer out of a freed block faults there.

/// Bytes of a redzone behind a block, and the least in front of it.
pub const REDZONE: usize = 64;
/// The largest redzone in front: of a block with this alignment.
pub const LARGEST_FRONT: usize = REDZONE << 7;
/// What freed blocks are filled with.
pub const FREED: u8 = 0xdb;

/// The redzone in front of a block with this alignment, a power of two times [`REDZONE`]: nothing beyond [`LARGEST_FRONT`].
#[inline(always)]
pub fn front(align: usize) -> Option<usize> {
    match align {
        0..=REDZONE => Some(REDZONE),
        _ => align.checked_next_power_of_two().filter(|front| *front <= LARGEST_FRONT),
    }
}

/// The words of a zone.
struct Words(u64);

impl Words {
    #[inline(always)]
    fn new(at: usize, secret: u64) -> Self {
        let mixed = (at as u64 ^ secret).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(mixed ^ mixed >> 31)
    }

    #[inline(always)]
    fn word(&self, index: usize) -> u64 {
        let varied = self.0.wrapping_add((index as u64).wrapping_mul(0xd6e8_feb8_6659_fd93));
        (varied | 0x8080_8080_8080_8080) & 0xbfbf_bfbf_bfbf_bfbf
    }

    fn byte(&self, index: usize) -> u8 {
        self.word(index / 8).to_le_bytes()[index % 8]
    }
}

/// Fills the zone that lies at `at`.
#[inline]
pub fn fill(zone: &mut [u8], at: usize, secret: u64) {
    let words = Words::new(at, secret);
    let whole = zone.len() / 8;
    let (body, rest) = zone.split_at_mut(whole * 8);
    for (index, to) in body.chunks_exact_mut(8).enumerate() {
        to.copy_from_slice(&words.word(index).to_le_bytes());
    }
    for (index, to) in rest.iter_mut().enumerate() {
        *to = words.byte(whole * 8 + index);
    }
}

/// The first and the last damaged byte of the zone that lies, or lay when it was copied, at `at`.
#[inline]
pub fn damage(zone: &[u8], at: usize, secret: u64) -> Option<(usize, usize)> {
    let words = Words::new(at, secret);
    let mut difference = 0;
    for (index, chunk) in zone.chunks_exact(8).enumerate() {
        difference |= word_of(chunk) ^ words.word(index);
    }
    let whole = zone.len() / 8 * 8;
    let damaged = |index: usize| zone[index] != words.byte(index);
    if difference == 0 && !(whole..zone.len()).any(damaged) {
        return None;
    }
    find((0..zone.len()).find(|i| damaged(*i)), (0..zone.len()).rfind(|i| damaged(*i)))
}

#[inline(always)]
fn word_of(chunk: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(chunk);
    u64::from_le_bytes(word)
}

fn find(first: Option<usize>, last: Option<usize>) -> Option<(usize, usize)> {
    Some((first?, last?))
}

/// The first byte of a freed block that is not [`FREED`] any more.
#[inline]
pub fn written_after_free(block: &[u8]) -> Option<usize> {
    const WORD: u64 = u64::from_ne_bytes([FREED; 8]);
    // A line at a time: the compiler makes vectors of it.
    let mut at = 0;
    for line in block.chunks_exact(64) {
        if line.chunks_exact(8).fold(0, |difference, chunk| difference | word_of(chunk) ^ WORD) != 0 {
            break;
        }
        at += 64;
    }
    block[at..].iter().position(|byte| *byte != FREED).map(|found| at + found)
}

/// Which bytes of memory to show around the one at `offset`: from where, and how many. All lie in `low..high`, and those
/// before the damage are fewer than those after it; `back` turns that round, for damage in front of a block.
pub fn window(offset: i64, low: i64, high: i64, back: bool, most: usize) -> (i64, usize) {
    let before = if back { most as i64 * 3 / 4 } else { most as i64 / 4 };
    let start = (offset - before).min(high - most as i64).max(low);
    (start, (high - start).clamp(0, most as i64) as usize)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const SECRET: u64 = 0x0123_4567_89ab_cdef;
    const AT: usize = 0x7f00_1234_5678;

    fn zone<const N: usize>() -> [u8; N] {
        let mut zone = [0; N];
        fill(&mut zone, AT, SECRET);
        zone
    }

    #[test]
    fn every_overwritten_byte_is_seen() {
        assert_eq!(damage(&zone::<64>(), AT, SECRET), None);
        assert_eq!(damage(&zone::<61>(), AT, SECRET), None);
        assert_eq!(damage(&zone::<3>(), AT, SECRET), None);
        assert_eq!(damage(&[], AT, SECRET), None);
        for at in 0..61 {
            for byte in (0..=0x7f).chain(0xc0..=0xff) {
                let mut zone = zone::<61>();
                zone[at] = byte;
                assert_eq!(damage(&zone, AT, SECRET), Some((at, at)), "byte {byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_damage() {
        let mut zone = zone::<64>();
        zone[7] = 0;
        zone[40] = b'A';
        zone[50] = 0xff;
        assert_eq!(damage(&zone, AT, SECRET), Some((7, 50)));
    }

    #[test]
    fn a_zone_is_not_another() {
        assert!(damage(&zone::<64>(), AT + 16, SECRET).is_some());
        assert!(damage(&zone::<64>(), AT, SECRET + 1).is_some());
    }

    #[test]
    fn fronts() {
        assert_eq!(front(1), Some(64));
        assert_eq!(front(16), Some(64));
        assert_eq!(front(64), Some(64));
        assert_eq!(front(100), Some(128));
        assert_eq!(front(4096), Some(4096));
        assert_eq!(front(8192), Some(8192));
        assert_eq!(front(8193), None);
        assert_eq!(front(usize::MAX), None);
    }

    #[test]
    fn freed_blocks() {
        for len in [0, 1, 7, 8, 63, 64, 65, 200] {
            let block = &mut [FREED; 200][..len];
            assert_eq!(written_after_free(block), None);
            for at in 0..len {
                block[at] ^= 1;
                assert_eq!(written_after_free(block), Some(at));
                block[at] ^= 1;
            }
        }
        // Not canonical: bits 63 to 47, and 63 to 56, are not all alike.
        let word = u64::from_ne_bytes([FREED; 8]);
        assert!(word >> 47 != 0 && word >> 47 != (1 << 17) - 1);
        assert!(word >> 56 != 0 && word >> 56 != 0xff);
    }

    #[test]
    fn windows_stay_inside() {
        // Behind a block of 40 bytes, its redzone of 64 after it.
        assert_eq!(window(40, -64, 104, false, 32), (32, 32));
        assert_eq!(window(103, -64, 104, false, 32), (72, 32));
        assert_eq!(window(-1, -64, 104, true, 32), (-25, 32));
        assert_eq!(window(-64, -64, 104, true, 32), (-64, 32));
        assert_eq!(window(2, 0, 5, false, 32), (0, 5));
        assert_eq!(window(0, 0, 0, false, 32), (0, 0));
    }
}
