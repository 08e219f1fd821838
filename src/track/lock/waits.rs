//! Who waits for whom: the cycles among waiting threads.
//!
//! A thread waits for one lock. It is in the way of another when it holds that lock in a mode that the other's does not go
//! with. Following from each thread those that are in its way, a thread that is met again closes a cycle: none of its threads
//! can go on by itself. Used by the process (a signal asks) and by the command (`shim top`, a recording).

use super::Mode;

/// Threads that are looked at.
pub const MOST_THREADS: usize = 512;

/// What is to be known of thread number `n`: nothing of it changes while a cycle is looked for.
pub trait Waiting {
    /// How many threads there are.
    fn threads(&self) -> usize;
    /// The lock that the thread waits for, and how it wants it.
    fn wants(&self, thread: usize) -> Option<(u64, Mode)>;
    /// How the thread holds this lock, if it does.
    fn holds(&self, thread: usize, lock: u64) -> Option<Mode>;
}

/// Is a thread that holds a lock so in the way of one that wants it so?
pub fn excludes(held: Mode, wanted: Mode) -> bool {
    !(held == Mode::Read && wanted == Mode::Read)
}

/// Hands each cycle to the function: the threads in order, each waiting for the next, the last for the first. Each cycle once.
pub fn cycles(waiting: &impl Waiting, mut found: impl FnMut(&[usize])) {
    let threads = waiting.threads().min(MOST_THREADS);
    // 0: not met yet; n: met on the walk that began with thread n - 1.
    let mut met = [0u16; MOST_THREADS];
    let mut path = [0usize; MOST_THREADS];
    for first in 0..threads {
        let (mut len, mut at) = (0, first);
        while met[at] == 0 {
            met[at] = first as u16 + 1;
            path[len] = at;
            len += 1;
            let Some(next) = in_the_way(waiting, threads, at) else { break };
            if met[next] == first as u16 + 1 {
                let from = path[..len].iter().position(|thread| *thread == next).unwrap_or(0);
                found(&path[from..len]);
                break;
            }
            at = next;
        }
    }
}

/// A thread that is in the way of this one. Of several readers in a writer's way, one that waits itself, if there is one.
fn in_the_way(waiting: &impl Waiting, threads: usize, thread: usize) -> Option<usize> {
    let (lock, wanted) = waiting.wants(thread)?;
    let holder = |other: &usize| waiting.holds(*other, lock).is_some_and(|held| excludes(held, wanted));
    let mut holders = (0..threads).filter(holder);
    let first = holders.next()?;
    let waits = |other: &usize| waiting.wants(*other).is_some();
    if waits(&first) { Some(first) } else { holders.find(waits).or(Some(first)) }
}
