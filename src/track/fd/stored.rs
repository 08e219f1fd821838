//! A slot as a recording holds it: words that nobody promises anything about, read as the lives of a number.
//!
//! Place in the flow: reports read a slot here; the process itself never does.
//!
//! Why a slot is made of the words: the packing is then known in one place, and what a reader sees is what the process
//! would have seen. A process that wrote on while its file was read can leave one life torn; that shows a wrong bar.

use super::generation::{Facts, Generation};
use super::slot::{RING, Slot};
use super::word::State;
use crate::atomic::Ordering;
use core::mem::offset_of;

/// Words of a slot.
pub const SLOT_WORDS: usize = size_of::<Slot>() / 8;

/// The lives that a stored slot remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Of the newest life.
    pub state: State,
    /// How many lives the number has had.
    pub generation: u32,
    /// Generation and facts, the oldest first.
    pub lives: [Option<(u32, Facts)>; RING],
}

impl Stored {
    pub fn read(words: &[u64; SLOT_WORDS]) -> Self {
        let slot = Slot::new();
        slot.word.store(words[0], Ordering::Relaxed);
        for place in 0..RING {
            let life = slot.ring(place as u32);
            let at = SLOT_WORDS - (RING - place) * (size_of::<Generation>() / 8);
            let word = |offset: usize| words[at + offset / 8];
            for (field, offset) in [
                (&life.opened_at, offset_of!(Generation, opened_at)),
                (&life.closed_at, offset_of!(Generation, closed_at)),
                (&life.opener, offset_of!(Generation, opener)),
                (&life.closer, offset_of!(Generation, closer)),
                (&life.holders, offset_of!(Generation, holders)),
                (&life.owner, offset_of!(Generation, owner)),
                (&life.racer, offset_of!(Generation, racer)),
                (&life.last, offset_of!(Generation, last)),
                (&life.used_at, offset_of!(Generation, used_at)),
                (&life.meta, offset_of!(Generation, meta)),
            ] {
                field.store(word(offset), Ordering::Relaxed);
            }
            life.set_label(&core::array::from_fn(|i| word(offset_of!(Generation, label) + i * 8)));
        }
        let current = slot.load();
        let generation = current.settled_generation();
        let lives = core::array::from_fn(|i| {
            let number = generation.checked_sub((RING - 1 - i) as u32).filter(|number| *number > 0)?;
            Some((number, slot.ring(number).facts())).filter(|(_, facts)| facts.exists())
        });
        Self { state: current.state(), generation, lives }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fd::{Actor, FdKind, Opening, StackId, ThreadIndex, Tid};
    use core::sync::atomic::AtomicU64;

    /// The words of a slot, as a recording would hold them.
    #[allow(unsafe_code)] // Safety: see below.
    fn words(slot: &Slot) -> [u64; SLOT_WORDS] {
        // SAFETY: a slot is `SLOT_WORDS` atomics and nothing else (asserted beside it), and is borrowed for as long.
        let atomics = unsafe { &*core::ptr::from_ref(slot).cast::<[AtomicU64; SLOT_WORDS]>() };
        core::array::from_fn(|i| atomics[i].load(Ordering::Relaxed))
    }

    #[test]
    fn what_was_stored_is_what_is_read() {
        let slot = Slot::new();
        assert_eq!(Stored::read(&words(&slot)), Stored::default());
        let by = |now, stack| Actor { tid: Tid(7), thread: ThreadIndex(1), stack: StackId(stack), now, epoch: 0 };
        for life in 1..=6u32 {
            let label = [u64::from(life); 5];
            let what = Opening { kind: FdKind::Tcp, label, ..Opening::default() };
            assert_eq!(slot.opened(&by(u64::from(life) * 10, life), what).generation, life);
        }
        let stored = Stored::read(&words(&slot));
        assert_eq!((stored.state, stored.generation), (State::Open, 6));
        for (found, number) in stored.lives.iter().zip(3u32..) {
            let (generation, facts) = found.unwrap();
            assert_eq!((generation, facts.opened_at, facts.opener.stack.0), (number, u64::from(number) * 10, number));
            assert_eq!((facts.meta.kind, facts.label), (FdKind::Tcp, [u64::from(number); 5]));
        }
        let current = slot.snapshot().current.unwrap();
        assert_eq!(stored.lives[3], Some((6, current)));
    }

    #[test]
    fn any_words_can_be_read() {
        let mut state = 1u64;
        for _ in 0..2000 {
            let noise = core::array::from_fn(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state ^ state >> 29
            });
            Stored::read(&noise);
        }
    }
}
