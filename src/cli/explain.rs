//! `shim explain KIND`: what a finding means, a program that causes it, how to fix it.

use crate::args::ExplainArgs;
use crate::escape::shown;
use crate::message::{Failure, exit};
use record::kind::Kind;
use std::io::{self, Write};
use std::process::ExitCode;

macro_rules! pages {
    ($($kind:ident: $summary:literal, $file:literal;)*) => {
        /// A kind in one line, and its page.
        pub fn text(kind: Kind) -> (&'static str, &'static str) {
            match kind {
                $(Kind::$kind => ($summary, include_str!(concat!("explain/", $file, ".md"))),)*
            }
        }
    };
}

pages! {
    FdDoubleClose: "a descriptor was closed that was already closed", "fd.double-close";
    FdStaleClose: "a thread closed a number that meanwhile belongs to somebody else", "fd.stale-close";
    FdClosedLibc: "a close hit a descriptor that the C library had opened for itself", "fd.closed-libc";
    FdOwner: "a descriptor was closed, or wrapped again, although a FILE* or DIR* owns it", "fd.owner";
    FdUseAfterClose: "a call used a descriptor after its close", "fd.use-after-close";
    FdBadFd: "a call used a number that was never open", "fd.bad-fd";
    FdLeak: "descriptors stay open, unused, and their number grows", "fd.leak";
    FdLimit: "the process ran out of descriptor numbers", "fd.limit";
    HeapDoubleFree: "a block was freed twice", "heap.double-free";
    HeapInvalidFree: "something was freed that is no block", "heap.invalid-free";
    HeapUseAfterFree: "a block was used after its free", "heap.use-after-free";
    HeapWriteAfterFree: "a freed block was written to", "heap.write-after-free";
    HeapOverflow: "an access went past the end of a block", "heap.overflow";
    HeapUnderflow: "an access went before the start of a block", "heap.underflow";
    HeapMismatch: "a block was freed by the wrong function for how it was allocated", "heap.mismatch";
    HeapLeak: "blocks that nothing points to any more", "heap.leak";
    KeyNeverCreated: "a thread-specific key was used that was never created", "key.never-created";
    KeyDeleted: "a thread-specific key was used after its deletion", "key.deleted";
    KeyForeign: "a thread-specific key of somebody else was used or deleted", "key.foreign";
    KeyStale: "a thread-specific key was used that was deleted and created anew", "key.stale";
    KeyUnloaded: "the destructor or the variable of a key lies in a library that was unloaded", "key.unloaded";
    KeyExhausted: "the process ran out of thread-specific keys", "key.exhausted";
    LockFailed: "a lock operation failed", "lock.failed";
    LockIgnored: "a lock operation failed, and the result was ignored", "lock.ignored";
    LockSelfDeadlock: "a thread waits for a lock that it holds itself", "lock.self-deadlock";
    LockUpgrade: "a thread wants to write under its own read lock", "lock.upgrade";
    LockNotOwner: "a lock was released by a thread that does not hold it", "lock.not-owner";
    LockNotLocked: "a lock was released that nobody holds", "lock.not-locked";
    LockDestroyed: "a lock was used after its destruction", "lock.destroyed";
    LockHeldAtExit: "a thread ended with a lock held", "lock.held-at-exit";
    LockFreedHeld: "a held lock was destroyed, or its memory given back", "lock.freed-held";
    LockOrder: "locks are taken in orders that can deadlock", "lock.order";
    LockCond: "a condition variable was waited on with the wrong mutex, or destroyed under a waiter", "lock.cond";
    LockWriteUnderRead: "data was written under a read lock", "lock.write-under-read";
    TierFull: "a memory tier had no room, and the fallback was used", "tier.full";
    TierConfig: "a rule file of memory tiers has an error", "tier.config";
}

pub fn explain(args: ExplainArgs) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    let Some(name) = args.kind else {
        for kind in Kind::ALL {
            writeln!(out, "{:22}{}", kind.name(), text(*kind).0)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(kind) = Kind::from_name(&name) else { return Err(Failure::new(exit::USAGE, unknown(&name))) };
    write!(out, "{}", text(kind).1)?;
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> String {
    let nearest = Kind::ALL.iter().map(|kind| kind.name()).min_by_key(|known| {
        // `double-close` means `fd.double-close`.
        let tail = known.split_once('.').map_or(*known, |(_, tail)| tail);
        // And a name that was cut short may go on as it likes.
        let start = known.get(..name.len()).unwrap_or(known);
        distance(name, known).min(distance(name, tail) + 1).min(distance(name, start) + 1)
    });
    let nearest = nearest.unwrap_or_default();
    format!("{}: no such kind; did you mean {nearest}? ('shim explain' lists all)", shown(name))
}

/// Levenshtein.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        for (typed, meant) in [
            ("fd.doubleclose", "fd.double-close"),
            ("double-close", "fd.double-close"),
            ("fd.leaks", "fd.leak"),
            ("fd.doble", "fd.double-close"),
            ("use-after-free", "heap.use-after-free"),
            ("lock.ordre", "lock.order"),
        ] {
            assert!(unknown(typed).contains(&format!("did you mean {meant}?")), "{}", unknown(typed));
        }
    }

    #[test]
    fn distances() {
        assert_eq!((distance("", "abc"), distance("kitten", "sitting"), distance("a", "a")), (3, 3, 0));
    }

    #[test]
    fn pages_are_whole() {
        for kind in Kind::ALL {
            let (_, text) = text(*kind);
            assert!(text.starts_with(&format!("# {}\n", kind.name())));
            for heading in
                ["## What it means", "## A program that causes it", "## How to fix it", "## What protect does"]
            {
                assert!(text.contains(heading), "{}: {heading}", kind.name());
            }
            assert!(text.contains("Severity: "), "{}", kind.name());
        }
    }
}
