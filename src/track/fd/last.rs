//! The last operation on a descriptor: which call, how it ended, and where, in one word.
//!
//! Why one word: it is written after every read and write, so it must cost a load and, when something changed, a store.
//! Why two forms of "where": a call stack costs more than a small read does, so an operation that went well keeps the return
//! address of the call alone; one that failed, or found the end of the stream, keeps its whole stack.
//!
//! Layout, high to low: stack form 1, call 7, result 2; then errno 8, thread 13, unused 1, stack 32, or the address 48 in
//! the low bits. Zero: no operation yet.

use crate::actor::StackId;

/// How an operation ended. The discriminants are stored; never renumber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Ending {
    /// It succeeded.
    #[default]
    Done = 0,
    /// It read nothing: the end of the stream.
    End,
    /// EAGAIN: nothing yet, or a timeout.
    Again,
    Failed,
}

/// Where in the program the call was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Place {
    #[default]
    Unknown,
    Stack(StackId),
    /// The return address of the call.
    Address(u64),
}

/// The last operation on a generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Last {
    /// A code of the recording's table of calls, below 128; 0 = no operation yet.
    pub call: u8,
    pub ending: Ending,
    /// 0 unless it failed and has a stack. Linux has numbers up to 133.
    pub errno: u16,
    /// The index of the thread + 1; 0 = unknown, as without a stack.
    pub thread: u16,
    pub place: Place,
}

const WITH_STACK: u64 = 1 << 63;
const CALL_AT: u32 = 56;
const ENDING_AT: u32 = 54;
const ERRNO_AT: u32 = 46;
const THREAD_AT: u32 = 33;
const ADDRESS: u64 = (1 << 48) - 1;

impl Last {
    pub const fn is_none(self) -> bool {
        self.call == 0
    }

    /// The same without the thread: which way a descriptor went does not depend on who went it.
    pub const fn without_thread(self) -> Last {
        Last { thread: 0, ..self }
    }

    /// Did both go the same way?
    pub fn is_same_way(self, other: Last) -> bool {
        self.without_thread() == other.without_thread()
    }

    #[inline(always)]
    pub const fn pack(self) -> u64 {
        let head = ((self.call & 0x7f) as u64) << CALL_AT | (self.ending as u64) << ENDING_AT;
        match self.place {
            Place::Stack(stack) => {
                WITH_STACK
                    | head
                    | ((self.errno & 0xff) as u64) << ERRNO_AT
                    | ((self.thread & 0x1fff) as u64) << THREAD_AT
                    | stack.0 as u64
            }
            Place::Address(address) => head | address & ADDRESS,
            Place::Unknown => head,
        }
    }

    pub const fn unpack(bits: u64) -> Last {
        let ending = match bits >> ENDING_AT & 3 {
            1 => Ending::End,
            2 => Ending::Again,
            3 => Ending::Failed,
            _ => Ending::Done,
        };
        let call = (bits >> CALL_AT & 0x7f) as u8;
        if bits & WITH_STACK != 0 {
            let (errno, thread, stack) =
                ((bits >> ERRNO_AT & 0xff) as u16, (bits >> THREAD_AT & 0x1fff) as u16, bits as u32);
            let place = if stack == 0 { Place::Unknown } else { Place::Stack(StackId(stack)) };
            return Last { call, ending, errno, thread, place };
        }
        let address = bits & ADDRESS;
        let place = if address == 0 { Place::Unknown } else { Place::Address(address) };
        Last { call, ending, errno: 0, thread: 0, place }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn packed_and_back() {
        let places =
            [Place::Unknown, Place::Stack(StackId(u32::MAX)), Place::Stack(StackId(7)), Place::Address(ADDRESS)];
        for place in places {
            for ending in [Ending::Done, Ending::End, Ending::Again, Ending::Failed] {
                for (call, errno) in [(1, 0), (127, 111), (64, 0xff)] {
                    let (errno, thread) = if matches!(place, Place::Stack(_)) { (errno, 4096) } else { (0, 0) };
                    let last = Last { call, ending, errno, thread, place };
                    assert_eq!(Last::unpack(last.pack()), last);
                }
            }
        }
        assert_eq!(Last::unpack(0), Last::default());
        // A failure whose stack could not be taken keeps its errno.
        let last = Last { call: 3, ending: Ending::Failed, errno: 32, thread: 1, place: Place::Stack(StackId(0)) };
        assert_eq!(Last::unpack(last.pack()), Last { place: Place::Unknown, ..last });
    }
}
