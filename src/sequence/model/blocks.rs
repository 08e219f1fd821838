//! Blocks: live, freed, forgotten.
//!
//! A second free is played where shim keeps it from libc, which would end the program; and only while nothing was allocated since
//! the first, because the address may be another block's by then.

use super::{Found, Play, found};
use crate::mode::{Heap, Mode};
use crate::steps::PLACES;

#[derive(Clone, Copy, Default)]
enum Block {
    #[default]
    None,
    Live {
        by: usize,
        is_new: bool,
        /// libc may have made it larger where it was, over what was free, or have made it of such a one; its arena can point
        /// there still, and so into the block (`last_remainder`), which keeps it.
        may_be_kept: bool,
    },
    Freed {
        allocated: usize,
        by: usize,
        is_latest: bool,
    },
}

#[derive(Default)]
pub struct Blocks {
    places: [Block; PLACES],
    /// Who allocated what nobody has a pointer to any more.
    lost: Vec<usize>,
    /// A block that may be kept was freed: what comes after it may lie there.
    kept_was_freed: bool,
}

impl Blocks {
    fn allocated(&mut self, play: &Play<'_>) -> (i64, i32) {
        for block in &mut self.places {
            if let Block::Freed { is_latest, .. } = block {
                *is_latest = false;
            }
        }
        let may_be_kept = play.step.what == 'r' || self.kept_was_freed;
        self.places[play.step.a] = Block::Live { by: play.at, is_new: play.step.what == 'n', may_be_kept };
        (1, 0)
    }

    pub fn play(&mut self, play: &mut Play<'_>) -> (i64, i32) {
        let (a, at, heap) = (play.step.a, play.at, play.mode.heap);
        let follows = heap != Heap::Sampled;
        match (play.step.what, self.places[a]) {
            ('m' | 'n' | 'z', Block::Live { .. }) => play.skip(),
            ('m' | 'n' | 'z', _) | ('r', Block::None | Block::Live { is_new: false, .. }) => self.allocated(play),
            ('x' | 'k', Block::None) => (0, 0),
            ('x' | 'k', Block::Live { by, is_new, may_be_kept }) => {
                self.kept_was_freed |= may_be_kept;
                if follows && is_new != (play.step.what == 'k') {
                    play.finds("heap.mismatch", "error", &[("here", at), ("allocated", by)]);
                }
                self.places[a] = Block::Freed { allocated: by, by: at, is_latest: true };
                (0, 0)
            }
            ('x' | 'k', Block::Freed { allocated, by, is_latest: true })
                if matches!(heap, Heap::Protect | Heap::Held) =>
            {
                play.finds("heap.double-free", "error", &[("here", at), ("freed", by), ("allocated", allocated)]);
                (0, 0)
            }
            ('i', Block::Live { by, .. }) if heap == Heap::Protect => {
                play.finds("heap.invalid-free", "error", &[("here", at), ("allocated", by)]);
                (0, 0)
            }
            ('l', Block::Live { by, may_be_kept: false, .. }) => {
                self.lost.push(by);
                self.places[a] = Block::None;
                (0, 0)
            }
            _ => play.skip(),
        }
    }

    pub fn end(&self, mode: &Mode, findings: &mut Vec<Found>) {
        if mode.heap == Heap::Sampled {
            return;
        }
        for by in &self.lost {
            found(findings, "heap.leak", "error", 1, &[("allocated", *by)]);
        }
        // Reachable, and never freed.
        for block in self.places {
            if let Block::Live { by, .. } = block {
                found(findings, "heap.leak", "info", 1, &[("allocated", by)]);
            }
        }
    }
}
