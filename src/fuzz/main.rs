//! libFuzzer around one target: `FUZZ_TARGET=rules fuzz [OPTION…] CORPUS…`. scripts/fuzz builds and calls it.
#![no_main]

use fuzz::{Target, target};
use std::sync::LazyLock;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        eprintln!("fuzz: FUZZ_TARGET={name}: no such target");
        std::process::exit(2);
    })
});

libfuzzer_sys::fuzz_target!(init: LazyLock::force(&TARGET), |bytes: &[u8]| (TARGET.run)(bytes));
