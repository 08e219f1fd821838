//! Every interleaving of the transitions that threads race for, under loom.
//!
//! Run: `RUSTFLAGS="--cfg loom" cargo test -p track --release --test loom`. Without `--cfg loom` this is empty.
//!
//! What orders the program's own steps (the kernel's lock, libc's, an allocator's) is an atomic beside the tracker's state, with the
//! orderings that those have. So what the tests prove is that the record is right *given* that order, and that nothing else is
//! needed. Preemptions are bounded to three per run, and to one or two where a run is long: that is where such bugs live.
#![cfg(loom)]
#![allow(clippy::unwrap_used)]

mod fd;
mod key;
mod order;

fn explore(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(run);
}
