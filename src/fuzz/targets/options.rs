//! `SHIM_OPTIONS`, by the file of shim that reads it. Claims: each complaint is one line that a terminal can bear, and what
//! the hooks then see is within the bounds that docs and messages give.

use crate::stand_in::message;
use crate::{heap, options};
use std::sync::atomic::Ordering::Relaxed;

pub fn run(input: &[u8]) {
    // An environment variable has no zero byte.
    let text: Vec<u8> = input.iter().copied().filter(|byte| *byte != 0).collect();
    forget();
    options::parse(&text);
    for line in message::said() {
        let line = String::from_utf8(line).unwrap_or_default();
        assert!(line.starts_with("shim: SHIM_OPTIONS: ") && line.len() <= 512, "{line:?}");
        super::assert_one_line(line.strip_suffix('\n').unwrap_or_default());
    }
    assert!((1..=64).contains(&options::stack_depth()));
    assert!((1..=1 << 30).contains(&options::heap_sampling()));
    assert!(options::guard() <= 1 << 30 && options::heap_quarantine() <= 1 << 40);
    assert!((0..=255).contains(&options::ERROR_EXITCODE.load(Relaxed)));
    if let heap::access::Asked::Period(period) = options::access() {
        assert!((1000..=1 << 30).contains(&period));
    }
    let signal = options::SNAPSHOT_SIGNAL.load(Relaxed);
    assert!((0..=libc::SIGRTMAX()).contains(&signal), "signal {signal}");
    if options::canary() || options::heap_quarantine() > 0 {
        assert_eq!(options::heap_level(), heap::Level::Full);
    }
    std::hint::black_box((options::fd_mode(), options::keys_mode(), options::locks_mode(), options::heap_mode()));
}

/// What is kept from one variable to the next is put back as a preset and later keys would.
fn forget() {
    options::parse(
        b"fd=observe:keys=observe:locks=observe:heap=sites:guard=0:heap_sampling=512K:access=0:stack_depth=32:error_exitcode=0:lock_times=0:lock_watch=0",
    );
    options::SNAPSHOT_SIGNAL.store(0, Relaxed);
    message::said();
}
