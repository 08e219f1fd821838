//! The modes in which programs are played, and what of them the model has to know.

/// How the heap is watched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Heap {
    /// A sample: nothing is said of a block.
    Sampled,
    Full,
    /// Bad frees are refused.
    Protect,
    /// Freed blocks are held: a second free goes nowhere.
    Held,
}

pub struct Mode {
    /// SHIM_OPTIONS.
    pub options: &'static str,
    pub is_watched: bool,
    /// Numbers of closed sockets stay taken.
    pub keeps_sockets: bool,
    pub heap: Heap,
    /// A lock that would wait for its own thread is refused.
    pub refuses_locks: bool,
}

const OBSERVE: Mode = Mode {
    options: "preset=observe",
    is_watched: true,
    keeps_sockets: false,
    heap: Heap::Sampled,
    refuses_locks: false,
};

pub const NATIVE: Mode = Mode { options: "", is_watched: false, ..OBSERVE };

pub const MODES: [Mode; 6] = [
    OBSERVE,
    Mode { options: "preset=protect", keeps_sockets: true, refuses_locks: true, ..OBSERVE },
    // A guard takes one block in so many, by chance.
    Mode { options: "preset=hunt:guard=0", keeps_sockets: true, heap: Heap::Held, ..OBSERVE },
    Mode { options: "heap=full", heap: Heap::Full, ..OBSERVE },
    Mode { options: "heap=protect", heap: Heap::Protect, ..OBSERVE },
    Mode { options: "locks=order:lock_times=1", ..OBSERVE },
];
