//! What the object that mimalloc is compiled into asks of others: nothing that a program, or shim itself, could interpose.

use std::process::Command;

fn output(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().expect("binutils");
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn calls_nothing_by_name() {
    let mut asked: Vec<String> = output("nm", &["-u", env!("TIER_SMALL")])
        .lines()
        .filter_map(|line| line.trim().strip_prefix("U "))
        .map(str::to_owned)
        .collect();
    asked.sort();
    asked.retain(|name| name != "_GLOBAL_OFFSET_TABLE_");
    // memcpy and its like are the compiler's; so is the count of bits.
    asked.retain(|name| !["memcpy", "memmove", "memset", "memcmp", "__popcountdi2"].contains(&name.as_str()));
    assert_eq!(asked, Vec::<String>::new());
}

#[test]
fn runs_nothing_at_load() {
    let sections = output("objdump", &["-h", env!("TIER_SMALL")]);
    for section in ["init_array", "fini_array", ".ctors", ".dtors", ".preinit"] {
        assert!(!sections.contains(section), "{section} in {sections}");
    }
}

/// No call into the loader for a thread's variables: its first one could allocate.
#[test]
fn reaches_thread_variables_directly() {
    let relocations = output("readelf", &["-rW", env!("TIER_SMALL")]);
    assert!(relocations.contains("GOTTPOFF") || !cfg!(target_arch = "x86_64"), "no thread variable at all?");
    for general in ["TLSGD", "TLSLD", "TLSDESC", "GOTPC32_TLS"] {
        assert!(!relocations.contains(general), "{general}");
    }
}
