//! The locks of the program that `shim top` watches: who has each at this moment, who waits for it, how it was used.
//!
//! Two sources. With `lock_times=1` each lock has an entry in the recording that says how it was used, and who has it for
//! itself. Without, there is what each thread writes when it begins to wait (`shim::locks::waits`): what it wants and what it
//! holds. So the locks that are in the way at this moment are always here, but of who has one only those who wait themselves.
//!
//! Why shares and rates are of the time since the last look: a lock that was in the way an hour ago is not what holds the
//! program up now. Times are sums since its start, as `shim locks` has them; those of waits that go on are among them.

use crate::locks::table::Naming;
use crate::locks::text::time;
use crate::modules::Modules;
use crate::recordings::Loaded;
use crate::report::text::thread;
use crate::size;
use crate::symbolise::Symboliser;
use crate::when::duration;
use record::layout::Counter;
use record::lock::kind;
use record::reader::{Lock, MOST, Waiter};
use std::cmp::Reverse;
use std::collections::HashMap;
use track::lock::{Mode, What};

/// Rows whose names are looked up.
const ROWS: usize = 100;
/// Threads that a row names.
const NAMED: usize = 2;

/// By what the table is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Contention,
    Wait,
    Hold,
}

impl Sort {
    pub const fn next(self) -> Self {
        match self {
            Self::Contention => Self::Wait,
            Self::Wait => Self::Hold,
            Self::Hold => Self::Contention,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Contention => "contention",
            Self::Wait => "wait",
            Self::Hold => "hold",
        }
    }
}

/// A lock, ready to be shown.
#[derive(Clone, Debug)]
pub struct Row {
    pub address: u64,
    /// `mutex table`.
    pub name: String,
    /// Threads that wait for it now.
    pub waiters: usize,
    pub used: Option<Used>,
    /// Who has it, as far as is known, and the calls that are worth knowing.
    pub details: Vec<String>,
}

/// What `lock_times=1` tells of a lock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Used {
    pub taken: u64,
    pub contended: u64,
    /// Since the last look: how many of a hundred were not to be had at once, none = it was not taken; and how many a second.
    pub share: Option<f64>,
    pub rate: f64,
    /// ns, those who wait now included.
    pub waited: u64,
    pub held: u64,
    pub held_most: u64,
}

/// The locks at one look.
#[derive(Default)]
pub struct View {
    pub rows: Vec<Row>,
    /// Rows that are not among them.
    pub more: usize,
    pub measured: usize,
    pub waiters: usize,
    /// A second.
    pub taken: f64,
    pub contended: f64,
    beyond: u64,
}

/// How often a lock was taken, and not at once.
type Counts = (u64, u64);

/// What the last look saw.
#[derive(Default)]
pub struct Watch {
    before: Option<(u64, HashMap<u64, Counts>)>,
}

/// A lock, before it has a name.
#[derive(Default)]
struct Seen {
    kind: u8,
    lock: Option<Lock>,
    /// When its waiters began to wait.
    waiters: Vec<(u32, u64)>,
    /// Who holds it while it waits for another: places in the list of waiters, and for reading.
    holders: Vec<(usize, bool)>,
    /// Since the last look.
    taken: u64,
    contended: u64,
}

impl Watch {
    pub fn look(&mut self, recording: &Loaded, started: u64, now: u64, sort: Sort, symbols: &mut Symboliser) -> View {
        let waiters: Vec<Waiter> = recording.waiters().collect();
        let mut seen: HashMap<u64, Seen> = HashMap::new();
        for (place, waiter) in waiters.iter().enumerate() {
            let wanted = &waiter.wait.wanted;
            let lock = seen.entry(wanted.lock).or_default();
            lock.kind = What(wanted.what).kind() as u8;
            lock.waiters.push((waiter.tid, waiter.wait.since));
            for hold in &waiter.wait.holds {
                let (lock, what) = (seen.entry(hold.lock).or_default(), What(hold.what));
                lock.kind = what.kind() as u8;
                lock.holders.push((place, what.mode() == Mode::Read));
            }
        }
        // The first time: on average, since it started.
        let (then, mut was) = self.before.take().filter(|(time, _)| *time < now).unwrap_or((started, HashMap::new()));
        let seconds = (now.saturating_sub(then) as f64 / 1e9).max(1e-3);
        let mut counts = HashMap::new();
        let mut view = View { waiters: waiters.len(), ..View::default() };
        for lock in recording.locks() {
            let (taken, contended) = was.remove(&lock.address).unwrap_or_default();
            counts.insert(lock.address, (lock.taken, lock.contended));
            let entry = seen.entry(lock.address).or_default();
            entry.kind = lock.kind;
            (entry.taken, entry.contended) =
                (lock.taken.saturating_sub(taken), lock.contended.saturating_sub(contended));
            view.taken += entry.taken as f64 / seconds;
            view.contended += entry.contended as f64 / seconds;
            view.measured += 1;
            entry.lock = Some(lock);
        }
        self.before = Some((now, counts));
        view.beyond = recording.counter(Counter::LocksUntracked).min(MOST);
        let mut order: Vec<(u64, Seen)> = seen.into_iter().collect();
        order.sort_by_key(|(address, lock)| (Reverse(lock.rank(sort, now)), *address));
        view.more = order.len().saturating_sub(ROWS);
        order.truncate(ROWS);
        view.rows = rows(recording, &order, &waiters, now, seconds, symbols);
        view
    }
}

impl Seen {
    /// To wait for a condition or a semaphore is what they are for; to wait for a lock is time that is lost.
    fn is_lock(&self) -> bool {
        matches!(self.kind, kind::MUTEX | kind::RWLOCK | kind::SPIN)
    }

    /// Waits that have ended, and those that go on, ns.
    fn waited(&self, now: u64) -> u64 {
        let waits = self.waiters.iter().map(|(_, since)| now.saturating_sub(*since));
        waits.fold(self.lock.map_or(0, |lock| lock.waited), u64::saturating_add)
    }

    fn rank(&self, sort: Sort, now: u64) -> [u64; 4] {
        let lock = self.lock.unwrap_or_default();
        let in_the_way = if self.is_lock() { self.waiters.len() as u64 } else { 0 };
        let contention = [self.contended, lock.contended, in_the_way, lock.taken.max(self.waiters.len() as u64)];
        match sort {
            Sort::Contention => contention,
            Sort::Wait => [if self.is_lock() { self.waited(now) } else { 0 }, contention[0], contention[1], in_the_way],
            Sort::Hold => [lock.held, lock.held_most, contention[0], contention[1]],
        }
    }

    fn used(&self, now: u64, seconds: f64) -> Option<Used> {
        let lock = self.lock?;
        Some(Used {
            taken: lock.taken,
            contended: lock.contended,
            share: (self.taken > 0).then(|| self.contended.min(self.taken) as f64 * 100.0 / self.taken as f64),
            rate: self.contended as f64 / seconds,
            waited: self.waited(now),
            held: lock.held,
            held_most: lock.held_most,
        })
    }

    /// `thread 12 "io"`, as far as is known. The entry of a lock is read while it is used: who waits for it does not have it.
    fn holders(&self, waiters: &[Waiter], threads: &HashMap<u32, ([u8; 16], bool)>) -> Vec<String> {
        let measured = self.lock.map_or(0, |lock| lock.held_by);
        if measured != 0 && !self.waiters.iter().any(|(tid, _)| *tid == measured) {
            let (name, live) = threads.get(&measured).copied().unwrap_or_default();
            let ended = if live { "" } else { ", which has ended" };
            return vec![format!("{}{ended}", thread(measured, &name))];
        }
        let holder = |(place, reads): &(usize, bool)| {
            let waiter = waiters.get(*place)?;
            let how = if *reads { " for reading" } else { "" };
            Some(format!("{}{how}", thread(waiter.tid, &waiter.name)))
        };
        self.holders.iter().filter_map(holder).collect()
    }
}

fn rows(
    recording: &Loaded,
    order: &[(u64, Seen)],
    waiters: &[Waiter],
    now: u64,
    seconds: f64,
    symbols: &mut Symboliser,
) -> Vec<Row> {
    let is_held = |lock: &Seen| lock.lock.is_some_and(|lock| lock.held_by != 0);
    let mut threads = HashMap::new();
    if order.iter().any(|(_, lock)| is_held(lock)) {
        // A number that was given out again is that of the thread that lives.
        for thread in recording.threads() {
            let known = threads.entry(thread.tid).or_insert((thread.name, thread.live));
            if thread.live {
                *known = (thread.name, true);
            }
        }
    }
    // What is not measured has no place of its own in the recording.
    let unmeasured = order.iter().any(|(_, lock)| lock.lock.is_none());
    let modules = unmeasured.then(|| Modules::of(recording));
    let mut found: Vec<Option<String>> = Vec::new();
    for (address, lock) in order {
        let site = modules.as_ref().filter(|_| lock.lock.is_none()).and_then(|modules| modules.site(*address));
        found.push(site.and_then(|site| symbols.variable(&site)).map(crate::escape::shown));
    }
    let mut naming = Naming::new(recording, symbols);
    let row = |((address, lock), variable): (&(u64, Seen), Option<String>)| {
        let called = match &lock.lock {
            Some(measured) => naming.name(*address, lock.kind, measured.place).short(),
            None => variable.unwrap_or_else(|| format!("{address:#x}")),
        };
        Row {
            address: *address,
            name: format!("{} {called}", kind::name(lock.kind)),
            waiters: lock.waiters.len(),
            used: lock.used(now, seconds),
            details: details(lock, waiters, &threads, now, &mut naming),
        }
    };
    order.iter().zip(found).map(row).collect()
}

/// `held by thread 12 "io"`, `waited for since 3 s`, `waited for longest by load  app.c:40`.
fn details(
    lock: &Seen,
    waiters: &[Waiter],
    threads: &HashMap<u32, ([u8; 16], bool)>,
    now: u64,
    naming: &mut Naming,
) -> Vec<String> {
    let mut parts = Vec::new();
    let holders = lock.holders(waiters, threads);
    if !holders.is_empty() {
        let more = match holders.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let named: Vec<&str> = holders.iter().take(NAMED).map(String::as_str).collect();
        parts.push(format!("held by {}{more}", named.join(", ")));
    }
    if let Some(first) = lock.waiters.iter().map(|(_, since)| *since).min() {
        parts.push(format!("waited for since {}", duration(now.saturating_sub(first))));
    }
    if let Some(measured) = lock.lock.filter(|measured| measured.contended > 0) {
        let calls = [("held", measured.held_most_at), ("waited for", measured.waited_most_at)];
        for (words, stack) in calls {
            if let Some(call) = naming.stack(stack).first() {
                parts.push(format!("{words} longest by {}", call.words()));
            }
        }
    }
    parts
}

/// `locks: 12 measured; 3 threads wait`.
pub fn headline(view: &View) -> String {
    let waiters = match view.waiters {
        0 => "no thread waits".to_owned(),
        1 => "1 thread waits".to_owned(),
        n => format!("{} threads wait", size::count(n as u64)),
    };
    match view.measured {
        0 => format!("locks: {waiters}"),
        n => format!("locks: {} measured; {waiters}", size::count(n as u64)),
    }
}

/// `1,204.0 taken/s, 12.0 contended/s`, or what would tell.
pub fn rates(view: &View) -> String {
    if view.measured == 0 {
        return "how often and how long is not measured: lock_times=1 does".to_owned();
    }
    let beyond = match view.beyond {
        0 => String::new(),
        n => format!("; {} beyond the table", size::count(n)),
    };
    format!("{} taken/s, {} contended/s{beyond}", rate(view.taken), rate(view.contended))
}

fn rate(n: f64) -> String {
    if n < 9.95 { format!("{n:.1}") } else { size::count(n.round() as u64) }
}

/// The columns of [`cells`].
pub const HEAD: [&str; 8] = ["WAITING", "CONTENDED", "SHARE", "/S", "TAKEN", "WAITED", "HELD", "LONGEST"];

/// What is known in numbers; empty where nothing was measured.
pub fn cells(row: &Row) -> [String; 8] {
    let waiting = size::count(row.waiters as u64);
    let Some(used) = &row.used else {
        let mut cells: [String; 8] = <_>::default();
        cells[0] = waiting;
        return cells;
    };
    [
        waiting,
        size::count(used.contended),
        used.share.map_or_else(|| "-".to_owned(), |share| format!("{share:.1} %")),
        rate(used.rate),
        size::count(used.taken),
        time(used.waited),
        time(used.held),
        time(used.held_most),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(kind: u8, contended: u64, waited: u64, held: u64) -> Seen {
        let lock = Lock { kind, contended, waited, held, taken: 10, ..Lock::default() };
        Seen { kind, lock: Some(lock), ..Seen::default() }
    }

    fn first(sort: Sort, locks: [Seen; 3]) -> usize {
        (0..3).max_by_key(|at| locks[*at].rank(sort, 1_000)).unwrap()
    }

    #[test]
    fn each_order_has_its_first() {
        let locks = || [lock(kind::MUTEX, 7, 1, 1), lock(kind::MUTEX, 1, 70, 1), lock(kind::MUTEX, 1, 1, 70)];
        assert_eq!([Sort::Contention, Sort::Wait, Sort::Hold].map(|sort| first(sort, locks())), [0, 1, 2]);
        // What is in the way now is before what was once.
        let [a, mut b, c] = locks();
        b.contended = 1;
        assert_eq!(first(Sort::Contention, [a, b, c]), 1);
    }

    #[test]
    fn waits_that_go_on_count_for_locks_alone() {
        let mut locks = [lock(kind::MUTEX, 0, 500, 0), lock(kind::COND, 0, 0, 0), lock(kind::MUTEX, 0, 0, 0)];
        locks[1].waiters = vec![(1, 0)];
        assert_eq!(first(Sort::Wait, locks), 0);
        let mut locks = [lock(kind::MUTEX, 0, 500, 0), lock(kind::COND, 0, 0, 0), lock(kind::MUTEX, 0, 0, 0)];
        locks[2].waiters = vec![(1, 0)];
        assert_eq!(locks[2].waited(1_000), 1_000);
        assert_eq!(first(Sort::Wait, locks), 2);
    }

    #[test]
    fn shares_are_of_what_is_new() {
        let mut one = lock(kind::MUTEX, 900, 0, 0);
        (one.taken, one.contended) = (4, 1);
        let used = one.used(0, 2.0).unwrap();
        assert_eq!((used.share, used.rate, used.contended), (Some(25.0), 0.5, 900));
        (one.taken, one.contended) = (0, 0);
        assert_eq!(one.used(0, 2.0).unwrap().share, None);
        one.lock = None;
        assert_eq!(one.used(0, 2.0), None);
    }

    #[test]
    fn who_waits_for_a_lock_does_not_have_it() {
        let mut one = lock(kind::MUTEX, 0, 0, 0);
        one.lock.as_mut().unwrap().held_by = 7;
        let threads = HashMap::from([(7, (*b"io\0\0\0\0\0\0\0\0\0\0\0\0\0\0", true))]);
        assert_eq!(one.holders(&[], &threads), ["thread 7 \"io\""]);
        assert_eq!(one.holders(&[], &HashMap::new()), ["thread 7, which has ended"]);
        one.waiters = vec![(7, 0)];
        assert!(one.holders(&[], &threads).is_empty());
    }
}
