//! Packed words survive the round trip, and zeroed memory is an unknown number.
#![cfg(not(loom))]
#![allow(unsafe_code)] // Only to make zeroed values, as shared memory does.

use proptest::prelude::*;
use std::mem::MaybeUninit;
use track::fd::*;

const STATES: [State; 7] =
    [State::Unknown, State::Open, State::Closing, State::Closed, State::Tombstoned, State::Evicting, State::Replacing];

fn metas() -> impl Strategy<Value = Meta> {
    (0..19u8, any::<u16>(), any::<u16>(), 0..7u64, any::<bool>(), any::<bool>(), any::<u16>()).prop_map(
        |(kind, opener, closer, standing, imported, raced, epoch)| Meta {
            kind: FdKind::from_bits(kind),
            opener: ThreadIndex(opener),
            closer: ThreadIndex(closer),
            standing: CloseStanding::from_bits(standing),
            imported,
            raced,
            epoch,
        },
    )
}

proptest! {
    #[test]
    fn word_round_trip(state in 0..7usize, flags in 0..0x1000u16, epoch: u16, generation: u32) {
        let word = Word::new(STATES[state], Flags::from_bits(flags), epoch, generation);
        let word = Word::from_bits(word.bits());
        prop_assert_eq!(word.state(), STATES[state]);
        prop_assert_eq!(word.flags().bits(), flags);
        prop_assert_eq!(word.epoch(), epoch);
        prop_assert_eq!(word.generation(), generation);
    }

    #[test]
    fn flags_keep_apart(state in 0..7usize, filling: bool, raced: bool) {
        let mut flags = Flags::remember(STATES[state]);
        if filling { flags = flags.with(Flags::FILLING); }
        if raced { flags = flags.with(Flags::RACED); }
        prop_assert_eq!(flags.was(), STATES[state]);
        prop_assert_eq!((flags.has(Flags::FILLING), flags.has(Flags::RACED)), (filling, raced));
    }

    #[test]
    fn meta_round_trip(meta in metas()) {
        prop_assert_eq!(Meta::unpack(meta.pack()), meta);
    }

    #[test]
    fn any_bits_unpack_to_something_that_packs(bits: u64) {
        let meta = Meta::unpack(bits);
        prop_assert_eq!(Meta::unpack(meta.pack()), meta);
        let owner = Owner::unpack(bits);
        prop_assert_eq!(Owner::unpack(owner.pack()), owner);
        let word = Word::from_bits(bits);
        let again = Word::new(word.state(), word.flags(), word.epoch(), word.generation());
        prop_assert_eq!(again.generation(), word.generation());
    }

    #[test]
    fn party_round_trip(tid: u32, stack: u32) {
        let party = Party { tid: Tid(tid), stack: StackId(stack) };
        prop_assert_eq!(Party::unpack(party.pack()), party);
    }

    #[test]
    fn owner_keeps_56_bits(kind in 1..4u64, addr: u64) {
        let owner = Owner::unpack(kind << 56 | addr & ((1 << 56) - 1));
        prop_assert_eq!(owner.kind as u64, kind);
        prop_assert_eq!(owner.addr, addr & ((1 << 56) - 1));
        prop_assert_eq!(Owner { kind: OwnerKind::None, addr }.pack(), 0);
    }

    #[test]
    fn what_is_opened_can_be_read_back(meta in metas(), owner in 0..4u64, label: [u64; LABEL_WORDS], now: u64) {
        let slot = Slot::new();
        let by = Actor { tid: Tid(5), thread: meta.opener, stack: StackId(6), now, epoch: meta.epoch, ..Actor::default() };
        let owner = Owner::unpack(owner << 56 | 0xf00);
        let what = Opening { kind: meta.kind, owner, imported: meta.imported, label };
        prop_assert_eq!(slot.opened(&by, what), Opened { generation: 1, displaced: State::Unknown });
        let facts = slot.snapshot().current.unwrap();
        let expected = Meta { closer: ThreadIndex(0), standing: CloseStanding::None, raced: false, ..meta };
        prop_assert_eq!((facts.meta, facts.owner, facts.label), (expected, owner, label));
        prop_assert_eq!((facts.opened_at, facts.opener), (now, by.party()));
        slot.set_kind(FdKind::Epoll);
        slot.set_label([9; LABEL_WORDS]);
        let facts = slot.snapshot().current.unwrap();
        prop_assert_eq!((facts.meta, facts.label), (Meta { kind: FdKind::Epoll, ..expected }, [9; LABEL_WORDS]));
    }
}

#[test]
fn a_slot_is_its_words() {
    let slot = Slot::new();
    let by = Actor { tid: Tid(5), thread: ThreadIndex(3), stack: StackId(6), now: 7, epoch: 1, ..Actor::default() };
    for stack in 1..6 {
        let by = Actor { stack: StackId(stack), ..by };
        let what = Opening { kind: FdKind::Tcp, label: [u64::from(stack); LABEL_WORDS], ..Opening::default() };
        let generation = slot.opened(&by, what).generation;
        let last = Last { call: 19, ending: Ending::Failed, errno: 111, thread: 4, place: Place::Stack(StackId(9)) };
        slot.life(generation).acted(last, 50 + u64::from(stack));
    }
    // SAFETY: a Slot is 64 AtomicU64 and nothing else (asserted where it is defined).
    let words: [u64; SLOT_WORDS] = unsafe { std::mem::transmute_copy(&slot) };
    let copy = Slot::from_words(&words);
    assert_eq!(copy.snapshot(), slot.snapshot());
    assert!(copy.snapshot().previous.is_some() && copy.snapshot().current.is_some_and(|f| f.used_at == 55));
    assert_eq!(copy.words(), words);
}

#[test]
fn a_zeroed_slot_is_an_unknown_number() {
    // SAFETY: a Slot is 64 AtomicU64 and nothing else (asserted where it is defined), and zero is a valid u64.
    let slot: Slot = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: as above, of 512 AtomicU64.
    let pairs: PairSet = unsafe { MaybeUninit::zeroed().assume_init() };
    let by = Actor { tid: Tid(1), ..Actor::default() };
    assert_eq!(slot.snapshot(), Snapshot::default());
    assert_eq!(slot.closing(&by, Owner::NONE, &pairs), Closing::Unseen);
    assert_eq!(slot.failed_use(&by, &pairs).unwrap().fault, Fault::BadFd);
    assert_eq!(slot.set_owner(&by, Owner { kind: OwnerKind::Dir, addr: 1 }), None);
    slot.used(ThreadIndex(0));
    slot.end_evict(0);
    assert!(!slot.begin_evict(0));
    assert_eq!(slot.snapshot(), Snapshot::default(), "still untouched");
    assert_eq!(slot.opened(&by, Opening::default()), Opened { generation: 1, displaced: State::Unknown });
}

#[test]
fn the_generation_may_wrap() {
    // SAFETY: a word of all ones in the generation is a valid u64; the rest is zero, as above.
    let slot: Slot = unsafe {
        let mut slot = MaybeUninit::<Slot>::zeroed();
        slot.as_mut_ptr().cast::<u64>().write(Word::new(State::Closed, Flags::NONE, 0, u32::MAX).bits());
        slot.assume_init()
    };
    let (by, pairs) = (Actor { tid: Tid(1), ..Actor::default() }, PairSet::new());
    for expected in [0, 1] {
        assert_eq!(slot.opened(&by, Opening::default()).generation, expected);
        let Closing::Ordinary(claim) = slot.closing(&by, Owner::NONE, &pairs) else { panic!("open") };
        assert_eq!(slot.closed(claim, &by, Outcome::Tombstoned), None);
        assert!(slot.begin_evict(expected));
        slot.end_evict(expected);
    }
    assert!(slot.snapshot().previous.is_some());
}

#[test]
fn every_kind_has_its_number_and_a_name_of_its_own() {
    let mut names = std::collections::HashSet::new();
    for (bits, kind) in FdKind::ALL.into_iter().enumerate() {
        assert_eq!((kind as usize, FdKind::from_bits(bits as u8)), (bits, kind));
        assert!(names.insert(kind.name()));
    }
    assert_eq!(FdKind::from_bits(200), FdKind::Unknown);
    assert_eq!((FdKind::Tcp.name(), FdKind::File.name()), ("tcp", "file"));
}
