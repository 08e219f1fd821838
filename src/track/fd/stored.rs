//! A slot as a recording holds it: words that nobody promises anything about, read as the lives of a number.
//!
//! Place in the flow: reports read a slot here; the process itself never does.
//!
//! What a reader sees is what the process would have seen. A process that wrote on while its file was read can leave one life torn; that shows a wrong bar.

use super::generation::Facts;
use super::slot::{RING, SLOT_WORDS, Slot};
use super::word::State;

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
        let slot = Slot::from_words(words);
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

    #[test]
    fn what_was_stored_is_what_is_read() {
        let slot = Slot::new();
        assert_eq!(Stored::read(&slot.words()), Stored::default());
        let by =
            |now, stack| Actor { tid: Tid(7), thread: ThreadIndex(1), stack: StackId(stack), now, ..Actor::default() };
        for life in 1..=6u32 {
            let label = [u64::from(life); 5];
            let what = Opening { kind: FdKind::Tcp, label, ..Opening::default() };
            assert_eq!(slot.opened(&by(u64::from(life) * 10, life), what).generation, life);
        }
        let stored = Stored::read(&slot.words());
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
