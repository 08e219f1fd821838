//! Links the unwinder of libgcc statically, and tells the code whether it may rely on frame pointers.
//!
//! Why: Rust's standard library asks for libgcc_s.so, which would be loaded into every watched process. A linker script of
//! that name, found first, names the static library instead.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    frame_pointers();
    let Some(out) = env::var_os("OUT_DIR") else { return };
    let script = Path::new(&out).join("libgcc_s.so");
    if let Err(error) = fs::write(&script, "INPUT(-lgcc_eh -lc)\n") {
        println!("cargo:warning={}: {error}", script.display());
        return;
    }
    println!("cargo:rustc-link-search=native={}", Path::new(&out).display());
}

/// The return address of a hook is read through its frame pointer, which must then be one: `.cargo/config.toml` asks for it,
/// but RUSTFLAGS in the environment replaces that.
fn frame_pointers() {
    println!("cargo:rustc-check-cfg=cfg(frame_pointers)");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if flags.contains("force-frame-pointers=yes") {
        println!("cargo:rustc-cfg=frame_pointers");
    }
}
