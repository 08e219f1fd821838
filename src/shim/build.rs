//! Links the unwinder of libgcc statically.
//!
//! Why: Rust's standard library asks for libgcc_s.so, which would be loaded into every watched process. A linker script of
//! that name, found first, names the static library instead.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let Some(out) = env::var_os("OUT_DIR") else { return };
    let script = Path::new(&out).join("libgcc_s.so");
    if let Err(error) = fs::write(&script, "INPUT(-lgcc_eh -lc)\n") {
        println!("cargo:warning={}: {error}", script.display());
        return;
    }
    println!("cargo:rustc-link-search=native={}", Path::new(&out).display());
}
