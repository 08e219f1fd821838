//! A recording in few bytes: what is not zero, and where it lies.
//!
//! ```text
//! command:8 seal:8 cut:16 | at:32 len:8 bytes… | at:32 len:8 bytes… | …
//! ```
//!
//! Why: a recording of a small process is a megabyte of zeros with some KiB in it, and a fuzzer that flips bytes of a file
//! would flip zeros. `cut` shortens the file, in units of 64 bytes; 0 is the whole. `seal` mends the hash of each stack, which no
//! mutation would hit.

use record::layout::{CHUNK_LEN, CHUNKS_AT, HEADER_LEN, Section};
use record::reader::extent;
use record::snapshot::{MAX_FILE_LEN, TAIL_AT};
use record::stacks::{self, MAX_FRAMES};

/// Chunks beyond it are cut off, so that a run stays short.
const CHUNKS: usize = 16;
/// Zeros that are cheaper to write down than another run.
const GAP: usize = 5;

pub struct Dense<'a> {
    /// Which command reads it.
    pub command: u8,
    pub bytes: Vec<u8>,
    /// In the tail, where snapshots are: place and bytes.
    pub tail: Vec<(u64, &'a [u8])>,
}

/// None: too short to be one.
pub fn unpack(input: &[u8]) -> Option<Dense<'_>> {
    let (&[command, seal, cut0, cut1], rest) = input.split_first_chunk()?;
    let mut bytes = vec![0; CHUNKS_AT];
    let mut tail = Vec::new();
    let mut runs = rest;
    while let Some((&[a, b, c, d, len], after)) = runs.split_first_chunk() {
        let (run, after) = after.split_at(after.len().min(usize::from(len)));
        runs = after;
        let at = u64::from(u32::from_le_bytes([a, b, c, d]));
        if at >= TAIL_AT && at + run.len() as u64 <= MAX_FILE_LEN {
            tail.push((at, run));
        } else if at < (CHUNKS_AT + CHUNKS * CHUNK_LEN) as u64 {
            let end = at as usize + run.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[at as usize..end].copy_from_slice(run);
        }
    }
    let whole = (extent(&bytes) as usize).min(CHUNKS_AT + CHUNKS * CHUNK_LEN);
    bytes.resize(whole.max(bytes.len()), 0);
    if seal & 1 == 1 {
        seal_stacks(&mut bytes);
    }
    match u16::from_le_bytes([cut0, cut1]) {
        0 => {}
        units => bytes.truncate(usize::from(units) * 64),
    }
    Some(Dense { command, bytes, tail })
}

/// The other way: what [`unpack`] makes the same file of.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0; 4];
    let mut at = 0;
    while let Some(from) = bytes[at..].iter().position(|b| *b != 0).map(|skip| at + skip) {
        let (mut end, mut zeros) = (from, 0);
        for (i, byte) in bytes[from..].iter().enumerate().take(255) {
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            if zeros > GAP {
                break;
            }
            if *byte != 0 {
                end = from + i + 1;
            }
        }
        packed.extend((from as u32).to_le_bytes());
        packed.push((end - from) as u8);
        packed.extend(&bytes[from..end]);
        at = end;
    }
    packed
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// Walks the stacks as they lie behind each other.
fn seal_stacks(bytes: &mut [u8]) {
    let chunks = (bytes.len() - CHUNKS_AT) / CHUNK_LEN;
    for chunk in 0..chunks {
        if bytes[HEADER_LEN + chunk * 4 + 3] != Section::StackWords as u8 {
            continue;
        }
        let from = CHUNKS_AT + chunk * CHUNK_LEN;
        let words = CHUNK_LEN / 8;
        let mut at = 0;
        while at + 2 < words {
            let head = from + (at + 1) * 8;
            let len = (word(bytes, head) >> 56) as usize;
            if len == 0 || len > MAX_FRAMES || at + 2 + len > words {
                at += 1;
                continue;
            }
            let frames: Vec<u64> = (1..=len).map(|i| word(bytes, head + i * 8)).collect();
            let sealed = (len as u64) << 56 | stacks::hash(&frames) & 0x00ff_ffff_ffff_ffff;
            bytes[head..head + 8].copy_from_slice(&sealed.to_le_bytes());
            at += 2 + len;
        }
    }
}
