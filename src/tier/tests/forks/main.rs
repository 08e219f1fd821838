//! Fork: a child has its own copy of shared tiers, and no lock or half-done work of threads that it has not.
//!
//! Why a program of its own, and one test at a time: a process has one set of tiers, and what it does around a fork it does for all of
//! them. A child that was forked from the midst of another test would share that one's files, which it gives back to the system when it
//! finds them unused.
#![allow(unsafe_code)] // Safety: fork, waitpid and _exit; blocks of the memory under test.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Tests.

#[allow(dead_code, reason = "the other tests of memory share it")]
#[path = "../memory/machine.rs"]
mod machine;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use machine::{Numbers, block, fill, spoilt};
use tier::memory::{Memory, Obtained};
use tier::spec::{Fork, Full, Kind, TierSpec};

/// See the header.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs `child` in a forked child, as shim's handlers would; what it says is its exit status.
fn forked(memory: &Memory, child: impl FnOnce() -> bool) -> libc::pid_t {
    memory.before_fork();
    // SAFETY: the child only calls what is under test, and _exit.
    match unsafe { libc::fork() } {
        0 => {
            memory.after_fork_child();
            let good = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(false);
            // SAFETY: ends the child.
            unsafe { libc::_exit(i32::from(!good)) }
        }
        pid => {
            memory.after_fork_parent();
            assert!(pid > 0);
            pid
        }
    }
}

/// Within 20 seconds, or it hangs.
fn ended_well(pid: libc::pid_t) -> bool {
    for _ in 0..2000 {
        let mut status = 0;
        // SAFETY: our own child.
        match unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } {
            0 => std::thread::sleep(std::time::Duration::from_millis(10)),
            _ => {
                assert_eq!(status, 0, "status of the child");
                return status == 0;
            }
        }
    }
    // SAFETY: our own child.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    false
}

fn shared_tier(fork: Fork) -> Memory {
    let kind = Kind::Memfd { page: None };
    let (memory, complaints) =
        machine::start(vec![TierSpec { fork, full: Full::Heap, ..machine::spec(kind, 256 << 20) }]);
    assert_eq!(complaints, []);
    memory
}

fn byte(block: NonNull<u8>) -> &'static core::sync::atomic::AtomicU8 {
    // SAFETY: the first byte of a live block.
    unsafe { &*block.as_ptr().cast() }
}

/// Neither sees what the other writes after the fork. Without the copy both assertions fail: the memory is one.
#[test]
fn a_copy_is_the_childs_own() {
    let _alone = alone();
    for kind in [Kind::Memfd { page: None }, machine::directory(), machine::numa()] {
        let memory = machine::tiers(&[kind], 256 << 20);
        let blocks = [100, 50_000, 3 << 20].map(|size| (block(&memory, 1, size, 16, false).unwrap(), size));
        for (at, size) in blocks {
            fill(at, size, 5);
        }
        let (mut go, mut tell) = std::io::pipe().unwrap();
        let pid = forked(&memory, || {
            // The parent has written by now.
            let mut one = [0];
            std::io::Read::read_exact(&mut go, &mut one).unwrap();
            let kept = blocks.iter().all(|(at, size)| spoilt(*at, *size, 5, *size).is_none());
            for (at, size) in blocks {
                fill(at, size, 7);
            }
            kept && blocks.iter().all(|(at, size)| spoilt(*at, *size, 7, *size).is_none())
        });
        for (at, size) in blocks {
            fill(at, size, 6);
        }
        std::io::Write::write_all(&mut tell, &[1]).unwrap();
        assert!(ended_well(pid), "the child saw the parent's stores");
        for (at, size) in blocks {
            assert_eq!(spoilt(at, size, 6, size), None, "the parent saw the child's stores");
            memory.free(at);
        }
    }
}

/// With `share` both see each other's stores, but the child neither allocates nor frees there.
#[test]
fn a_shared_tier_is_shared() {
    let _alone = alone();
    let memory = shared_tier(Fork::Share);
    let one = block(&memory, 1, 5000, 16, false).unwrap();
    let blocks: Vec<_> = (0..100).map(|_| block(&memory, 1, 200, 16, false).unwrap()).collect();
    byte(one).store(1, Relaxed);
    let pid = forked(&memory, || {
        byte(one).store(2, Relaxed);
        let elsewhere = memory.allocate(1, 100, 16, false) == Obtained::Heap;
        blocks.iter().for_each(|block| _ = memory.free(*block));
        memory.free(one);
        memory.thread_ends();
        elsewhere
    });
    assert!(ended_well(pid));
    assert_eq!(byte(one).load(Relaxed), 2);
    // The child's frees have freed nothing.
    let more: Vec<_> = (0..1000).map(|_| block(&memory, 1, 200, 16, false).unwrap()).collect();
    assert!(more.iter().all(|new| !blocks.contains(new)));
}

/// The child goes on: its new blocks lead on, its frees and reallocs of old ones do what they should.
#[test]
fn a_child_lives_with_what_it_has() {
    let _alone = alone();
    let memory = shared_tier(Fork::Copy);
    let (small, large) = (block(&memory, 1, 100, 16, false).unwrap(), block(&memory, 1, 8 << 20, 16, false).unwrap());
    fill(large, 8 << 20, 1);
    let pid = forked(&memory, || {
        let closed = memory.facts(1).unwrap().closed && memory.allocate(1, 100, 16, false) == Obtained::Heap;
        let sizes = memory.usable(small) >= 100 && memory.usable(large) == 8 << 20;
        let resized = memory.resize(small, 50) && !memory.resize(large, 9 << 20) && memory.resize(large, 100);
        let whole = spoilt(large, 8 << 20, 1, 8 << 20).is_none();
        memory.free(small);
        memory.free(large);
        memory.free(large);
        memory.thread_ends();
        // And a child of its own.
        let grandchild = forked(&memory, || memory.allocate(1, 100, 16, false) == Obtained::Heap);
        closed && sizes && resized && whole && ended_well(grandchild) && memory.facts(1).unwrap().bad_frees == 1
    });
    assert!(ended_well(pid));
    assert_eq!(memory.fork_faults(), (0, 0));
    memory.free(small);
    memory.free(large);
}

/// Forks while eight threads allocate and free: no child hangs on what a thread was in the midst of, and each of them can go
/// on allocating. Copied blocks of the forking thread are whole.
#[test]
fn in_the_midst_of_eight_threads() {
    let _alone = alone();
    let memory = machine::tiers(&[machine::numa(), Kind::Memfd { page: None }], 64 << 20);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for at in 0..8u64 {
            let (memory, stop) = (&memory, &stop);
            scope.spawn(move || {
                let (mut numbers, mut live) = (Numbers(at + 1), Vec::new());
                while !stop.load(Relaxed) {
                    let tier = 1 + numbers.below(2) as u16;
                    if let Some(one) = block(memory, tier, numbers.size().min(1 << 21), 16, false) {
                        live.push(one);
                    }
                    while live.len() > 20 {
                        memory.free(live.swap_remove(numbers.below(live.len())));
                    }
                }
                live.into_iter().for_each(|one| _ = memory.free(one));
                memory.thread_ends();
            });
        }
        let mine = [1, 2].map(|tier| block(&memory, tier, 70_000, 16, false).unwrap());
        for round in 0..30 {
            mine.iter().for_each(|one| fill(*one, 70_000, round));
            let pid = forked(&memory, || {
                let whole = mine.iter().all(|one| spoilt(*one, 70_000, round, 70_000).is_none());
                let mut numbers = Numbers(round + 1);
                for _ in 0..300 {
                    let size = numbers.size().min(1 << 21);
                    if let Some(one) = block(&memory, 1, size, 16, false) {
                        fill(one, size, 3);
                        if numbers.below(2) == 0 {
                            memory.free(one);
                        }
                    }
                }
                mine.iter().for_each(|one| _ = memory.free(*one));
                whole
            });
            let good = ended_well(pid);
            if !good {
                stop.store(true, Relaxed);
            }
            assert!(good, "round {round}");
        }
        stop.store(true, Relaxed);
    });
    assert_eq!(memory.fork_faults(), (0, 0));
}

/// A child that dies before it has copied anything holds nobody up, nor does a fork that fails.
#[test]
fn a_child_that_dies_is_not_waited_for() {
    let _alone = alone();
    let memory = shared_tier(Fork::Copy);
    let one = block(&memory, 1, 1 << 20, 16, false).unwrap();
    let begin = std::time::Instant::now();
    memory.before_fork();
    // SAFETY: the child ends at once.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: as above.
        unsafe { libc::_exit(0) };
    }
    memory.after_fork_parent();
    assert!(ended_well(pid));
    memory.before_fork();
    memory.after_fork_parent();
    assert!(begin.elapsed().as_secs() < 3, "{:?}", begin.elapsed());
    assert_eq!(memory.fork_faults().0, 0);
    memory.free(one);
    assert!(block(&memory, 1, 100, 16, false).is_some());
}

/// `ulimit -v` and `ulimit -f`: windows shrink, files stay below; no signal.
#[test]
fn under_limits_of_the_process() {
    let _alone = alone();
    let nothing = machine::tiers(&[machine::numa()], 1 << 20);
    let pid = forked(&nothing, || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let taken = pages.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096;
        let set = |resource, bytes: u64| {
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            // SAFETY: a live structure.
            let answer = unsafe { libc::setrlimit(resource, &raw const limit) };
            assert_eq!(answer, 0);
        };
        set(libc::RLIMIT_AS, taken + (6 << 30));
        set(libc::RLIMIT_FSIZE, 10 << 20);
        let (memory, complaints) =
            machine::start([machine::numa(), machine::directory()].map(|kind| machine::spec(kind, 64 << 20)).into());
        assert_eq!(complaints, []);
        let (mut bytes, one) = (0, block(&memory, 1, 30 << 20, 16, false).unwrap());
        fill(one, 30 << 20, 1);
        while let Some(one) = block(&memory, 2, 1 << 20, 16, false) {
            fill(one, 1 << 20, 1);
            bytes += 1 << 20;
        }
        memory.facts(2).unwrap().capacity == 10 << 20 && bytes == 10 << 20
    });
    assert!(ended_well(pid));
}
