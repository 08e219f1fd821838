//! Compiles mimalloc, as memory/small/mimalloc.c wants it, out of the sources that crate libmimalloc-sys brings.
//!
//! Why not the archive that the crate itself builds: its library constructor, its pthread key and its calls through symbols that a
//! preloaded library exports. Nothing refers to that archive, so the linker takes nothing from it.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=memory/small/mimalloc.c");
    if env::var("CARGO_CFG_TARGET_POINTER_WIDTH").as_deref() != Ok("64") {
        return; // Tiers are for 64-bit processes.
    }
    let Some(include) = env::var_os("DEP_MIMALLOC_INCLUDE_DIR").map(PathBuf::from) else {
        println!("cargo:warning=libmimalloc-sys does not say where its headers are");
        return;
    };
    let sources = include.with_file_name("src");
    let mut build = cc::Build::new();
    build.file("memory/small/mimalloc.c").include(&include).include(&sources).pic(true).opt_level(2).warnings(false);
    for flag in ["-std=gnu11", "-fvisibility=hidden", "-ftls-model=initial-exec", "-fno-semantic-interposition"] {
        build.flag_if_supported(flag);
    }
    for flag in ["-fno-builtin-malloc", "-fno-omit-frame-pointer"] {
        build.flag_if_supported(flag);
    }
    // Its own metadata: in ordinary memory, 64 MiB of address space at a time. Pages of blocks begin with their description.
    let defines = [
        ("NDEBUG", "1"),
        ("MI_BUILD_RELEASE", "1"),
        ("MI_DEBUG", "0"),
        ("MI_SECURE", "0"),
        ("MI_STAT", "0"),
        ("MI_PADDING", "0"),
        ("MI_GUARDED", "0"),
        ("MI_NO_ALIGNED_HINT", "1"),
        ("MI_PAGE_META_IS_SEPARATED", "0"),
        ("MI_DEFAULT_ARENA_RESERVE", "65536L"),
    ];
    for (name, value) in defines {
        build.define(name, value);
    }
    build.compile("tier_small");
    // For the test that looks at what the object asks of others.
    if let Some(out) = env::var_os("OUT_DIR") {
        println!("cargo:rustc-env=TIER_SMALL={}", PathBuf::from(out).join("libtier_small.a").display());
    }
}
