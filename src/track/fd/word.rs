//! The word that says in what state a descriptor number is: the one atomic that every transition compares and swaps.
//!
//! Why everything is in one word: a transition must fail if the number moved on in any way since it was read. With the
//! generation beside the state, a successful compare-and-swap also proves that the ring entries read before it were not
//! reused, so the rules never judge by torn facts.
//!
//! Layout, high to low: state 4, flags 12, epoch 16, generation 32. Zero is `Unknown`, generation 0, epoch 0.

/// In what state a number is. The discriminants are stored; never renumber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Nothing is known; also the zeroed state.
    #[default]
    Unknown = 0,
    Open,
    /// A thread is between [`closing`](super::Slot::closing) and [`closed`](super::Slot::closed).
    Closing,
    Closed,
    /// Closed, but a tombstone keeps the number taken.
    Tombstoned,
    /// The quarantine is closing the tombstone.
    Evicting,
    /// A thread is putting another descriptor onto the number.
    Replacing,
}

impl State {
    /// The stored discriminant back as a state; a number that is none is `Unknown`.
    pub const fn from_bits(bits: u64) -> State {
        match bits {
            1 => State::Open,
            2 => State::Closing,
            3 => State::Closed,
            4 => State::Tombstoned,
            5 => State::Evicting,
            6 => State::Replacing,
            _ => State::Unknown,
        }
    }
}

/// The twelve bits beside the state: `FILLING`, `RACED`, and for `Replacing` the state before (four bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u16);

impl Flags {
    pub const NONE: Flags = Flags(0);
    /// The word's generation is being written; state and epoch still speak of the one before it.
    pub const FILLING: Flags = Flags(1);
    /// A second closer arrived while the first was inside close.
    pub const RACED: Flags = Flags(2);

    const MASK: u16 = 0xfff;

    /// Only the low twelve bits count.
    pub const fn from_bits(bits: u16) -> Flags {
        Flags(bits & Flags::MASK)
    }

    pub const fn bits(self) -> u16 {
        self.0
    }

    pub const fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 == flag.0
    }

    pub const fn with(self, flag: Flags) -> Flags {
        Flags(self.0 | flag.0)
    }

    /// The state that a replacement interrupted.
    pub const fn was(self) -> State {
        State::from_bits((self.0 >> 8) as u64)
    }

    pub const fn remember(state: State) -> Flags {
        Flags((state as u16) << 8)
    }
}

/// The packed state of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Word(u64);

impl Word {
    pub const fn new(state: State, flags: Flags, epoch: u16, generation: u32) -> Word {
        Word((state as u64) << 60 | (flags.bits() as u64) << 48 | (epoch as u64) << 32 | generation as u64)
    }

    pub const fn from_bits(bits: u64) -> Word {
        Word(bits)
    }

    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The stored state. While `FILLING` it speaks of the generation before the stored one.
    pub const fn state(self) -> State {
        State::from_bits(self.0 >> 60)
    }

    pub const fn flags(self) -> Flags {
        Flags::from_bits((self.0 >> 48) as u16)
    }

    /// The fork depth of the process that made the last transition.
    pub const fn epoch(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// The newest generation whose ring entry is written or being written.
    pub const fn generation(self) -> u32 {
        self.0 as u32
    }

    pub(crate) const fn is_filling(self) -> bool {
        self.flags().has(Flags::FILLING)
    }

    /// The generation that the state speaks of.
    pub(crate) const fn settled_generation(self) -> u32 {
        if self.is_filling() { self.generation().wrapping_sub(1) } else { self.generation() }
    }

    /// The word is about this generation, complete, and in this state.
    pub(crate) fn is(self, state: State, generation: u32) -> bool {
        self.state() == state && self.generation() == generation && !self.is_filling()
    }
}
