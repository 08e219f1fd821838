//! What the files of shim that are fuzzed here call of the rest of it.

pub mod heap {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[repr(u8)]
    pub enum Level {
        Unknown = 0,
        Off = 1,
        Count = 2,
        Sites = 3,
        Full = 4,
    }

    pub mod access {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Asked {
            Off,
            Faults,
            Period(u64),
        }
    }
}

pub mod message {
    use std::cell::RefCell;

    thread_local! {
        static SAID: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    }

    pub fn say(line: &[u8]) {
        SAID.with_borrow_mut(|said| said.push(line.to_vec()));
    }

    /// What was said since the last call.
    pub fn said() -> Vec<Vec<u8>> {
        SAID.take()
    }
}
