//! The tail of a recording, where its snapshots are: `at:32 len:8 bytes…`, at from where the tail begins.
//! Claims: what is read is not more than there is.

use record::snapshot::{BLOCK, File, TAIL_AT, read_all};

struct Tail(Vec<u8>);

impl File for Tail {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<usize, i32> {
        let from = at.checked_sub(TAIL_AT).and_then(|at| self.0.get(usize::try_from(at).ok()?..)).unwrap_or_default();
        let len = from.len().min(buffer.len());
        buffer[..len].copy_from_slice(&from[..len]);
        Ok(len)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> Result<(), i32> {
        Err(libc::EROFS)
    }
}

pub fn run(input: &[u8]) {
    let mut tail = Vec::new();
    let mut runs = input;
    while let Some((&[a, b, len], after)) = runs.split_first_chunk() {
        let (run, after) = after.split_at(after.len().min(usize::from(len)));
        runs = after;
        let at = usize::from(u16::from_le_bytes([a, b]));
        tail.resize(tail.len().max(at + run.len()), 0);
        tail[at..at + run.len()].copy_from_slice(run);
    }
    let blocks = tail.len() / BLOCK;
    let all = read_all(&Tail(tail)).unwrap_or_default();
    let read = all.iter().map(|snapshot| 1 + snapshot.groups.len() + snapshot.lost.len()).sum::<usize>();
    assert!(read <= 2 * blocks, "{read} of {blocks} blocks");
    std::hint::black_box(format!("{all:?}").len());
}
