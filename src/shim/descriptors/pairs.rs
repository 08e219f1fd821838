//! What this process has learned of its call sites: pairs of closes, and places that hand descriptors off.
//!
//! `track::fd` asks by stacks. Here a stack is its call site (the program's call into libc), so that one mistake that is
//! reached by many ways is learned once.

use crate::recording::RECORDING;
use track::fd::{Learned, PairSet, Pairs, StackId};

#[unsafe(link_section = ".bss.tables")]
pub(super) static PAIRS: SitePairs = SitePairs { pairs: PairSet::new(), hand_offs: PairSet::new() };

/// Pairs of call sites (the program's calls into libc), or of whole stacks where the two sites are one, as in programs
/// that close through a wrapper.
pub(super) struct SitePairs {
    pairs: PairSet,
    /// By the call site alone; apart, because a program may have many.
    hand_offs: PairSet,
}

impl SitePairs {
    fn key(from: StackId, to: StackId) -> (StackId, StackId) {
        match (site(from), site(to)) {
            (Some(a), Some(b)) if a != b => (a, b),
            _ => (from, to),
        }
    }
}

/// The call site of a stack, as an id that no stack has.
fn site(stack: StackId) -> Option<StackId> {
    let mut frames = [0; record::stacks::MAX_FRAMES];
    let len = record::stacks::load(&RECORDING, stack.0, &mut frames);
    (len > 0).then(|| StackId(record::stacks::hash(&frames[..1]) as u32 | 1 << 31))
}

impl Pairs for SitePairs {
    fn learn(&self, from: StackId, to: StackId) -> Learned {
        let (from, to) = Self::key(from, to);
        self.pairs.learn(from, to)
    }

    fn knows(&self, from: StackId, to: StackId) -> bool {
        let (from, to) = Self::key(from, to);
        self.pairs.knows(from, to)
    }

    fn learn_hand_off(&self, place: StackId) {
        self.hand_offs.learn_hand_off(site(place).unwrap_or(place));
    }

    fn hands_off(&self, place: StackId) -> bool {
        self.hand_offs.hands_off(site(place).unwrap_or(place))
    }
}
