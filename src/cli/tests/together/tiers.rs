//! Memory tiers: rules of all kinds, and what is told of them after a run.

use crate::program::{directory, script, text};

/// A rule that names a line: met where the line table is plain or packed by zlib; where zstd has packed it one line says that nothing is.
#[test]
fn lines_that_are_compressed() {
    let here = directory("compressed");
    // So many lines that it pays to compress them.
    let others: String =
        (0..300).map(|i| format!("int f{i}(int x) {{\n    x += {i};\n\n    return x;\n}}\n")).collect();
    let main = "int main(void) {\n    for (int i = 0; i < 9; i++)\n        free(malloc(5000));\n    return 0;\n}\n";
    let source = format!("#include <stdlib.h>\n{main}{others}");
    std::fs::write(here.join("lines.c"), source).unwrap();
    let rules = "[[tier]]\nname = \"shared\"\nkind = \"memfd\"\n[[rule]]\nname = \"line\"\ntier = \"shared\"\nsite = \"lines.c:4\"\n";
    std::fs::write(here.join("lines.toml"), rules).unwrap();
    let built = script(&here, "gcc -g -O0 -fno-builtin -o none lines.c");
    assert!(built.status.success(), "{}", text(&built.stderr));
    for (how, placed) in [("none", true), ("zlib", true), ("zstd", false)] {
        let said = script(
            &here,
            &format!(
                "[ {how} = none ] || objcopy --compress-debug-sections={how} none {how} || exit 99
                 [ {how} = none ] || readelf -tW {how} | grep -qi {how} || exit 97
                 mkdir {how}.d; LD_PRELOAD=$library SHIM_OPTIONS=tiers=lines.toml:record={how}.d ./{how} || exit 98
                 $shim report --tiers {how}.d"
            ),
        );
        let (report, lines) = (text(&said.stdout), text(&said.stderr));
        assert_eq!(report.contains("9 hits from 1 call stack"), placed, "{how}: {report}{lines}");
        assert_eq!(report.contains("never matched"), !placed, "{how}: {report}");
        let told: Vec<&str> = lines.lines().collect();
        match told[..] {
            [] => assert!(placed, "{how}"),
            [line] => {
                let expected = format!("shim: tiers: {}: zstd has compressed its lines, ", here.join(how).display());
                assert!(!placed && line.starts_with(&expected), "{how}: {line}");
            }
            _ => panic!("{how}: {lines}"),
        }
    }
}

/// A rule that leaves blocks on the heap, in front of one that does not: who was matched is known, and how often is not claimed. What was
/// matched and found no room is a hit, too.
#[test]
fn rules_that_leave_blocks_on_the_heap() {
    let here = directory("stays");
    let rules = "[[tier]]\nname = \"shared\"\nkind = \"memfd\"\ncapacity = \"8M\"\n\
        [[rule]]\nname = \"stays\"\ntier = \"heap\"\nfunction = \"stays\"\n\
        [[rule]]\nname = \"goes\"\ntier = \"shared\"\nsize = \"1M..\"\n\
        [[rule]]\nname = \"small\"\ntier = \"heap\"\nsize = \"..1K\"\n\
        [[rule]]\nname = \"nobody\"\ntier = \"heap\"\nfunction = \"nobody\"\nsize = \"2M..\"\n";
    let source = r#"
        #include <stdlib.h>
        #define APART __attribute__((noinline)) static
        APART void *kept(void *block) { __asm__ volatile("" : "+r"(block) : : "memory"); return block; }
        APART void *stays(size_t size) { return kept(malloc(size)); }
        APART void *goes(size_t size) { return kept(malloc(size)); }
        int main(void) {
            void *blocks[12];
            for (int i = 0; i < 10; i++) { free(stays(1 << 20)); free(stays(100)); }
            for (int i = 0; i < 12; i++) blocks[i] = goes(1 << 20);
            for (int i = 0; i < 12; i++) free(blocks[i]);
            return 0;
        }
    "#;
    std::fs::write(here.join("stays.toml"), rules).unwrap();
    std::fs::write(here.join("stays.c"), source).unwrap();
    let said = script(
        &here,
        "gcc -g -O1 -fno-optimize-sibling-calls -o stays stays.c && mkdir kept && \
         LD_PRELOAD=$library SHIM_OPTIONS=tiers=stays.toml:record=kept ./stays && $shim report --tiers kept",
    );
    let report = text(&said.stdout);
    for line in [
        "  \"stays\" (stays.toml:5) → heap: 1 call stack, calls not counted\n",
        "  \"goes\" (stays.toml:9) → shared: 12 hits from 1 call stack, 8 placed, 8.0 MiB, 8.0 MiB at the peak\n",
        "  \"small\" (stays.toml:13) → heap: matched no call of a size that a tier wants\n",
        "  \"nobody\" (stays.toml:17) → heap: never matched\n",
        "  not counted  heap by \"stays\"  stays  stays.c:5\n",
    ] {
        assert!(report.contains(line), "{line}{report}{}", text(&said.stderr));
    }
}

/// Three blocks of 4 MiB belong on the tier, three of 1 MiB do not.
#[test]
fn what_was_placed_is_told_after_a_run() {
    let directory = directory("placed");
    let rules = "[[tier]]\nname = \"shared\"\nkind = \"memfd\"\n\n\
        [[rule]]\nname = \"large\"\ntier = \"shared\"\nfunction = \"fields\"\nsize = \"2M..\"\n\n\
        [[rule]]\nname = \"nobody\"\ntier = \"shared\"\nfunction = \"no_such_function\"\n";
    std::fs::write(directory.join("rules.toml"), rules).unwrap();
    let run = "SLURM_PROCID=2 \"$shim\" run --tiers rules.toml --record kept -- \"$program\" a";
    let output = script(&directory, run);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((stdout.as_str(), output.status.code()), ("", Some(3)), "{stderr}");
    let told: Vec<&str> = stderr.lines().collect();
    let rules = directory.join("rules.toml");
    assert_eq!(told.len(), 3, "{stderr}");
    let first = "shim: [rank 2] tiers: shared (memfd): 3 allocations, 12 MiB; live 12 MiB, 12 MiB at the peak";
    assert!(told[0].starts_with(first), "{stderr}");
    assert_eq!(told[1], format!("shim: [rank 2] tiers: never matched: \"nobody\" ({}:11)", rules.display()));
    let pages = "shim: [rank 2] tiers: placement verified: 3,072 of 3,072 pages are where they belong";
    assert_eq!(told[2], pages);
    let report = text(&script(&directory, "\"$shim\" report --tiers kept").stdout);
    assert!(report.starts_with("== shim: memory tiers of program (pid "), "{report}");
    assert!(
        report.contains("), rank 2\n") && report.contains("→ shared: 3 hits from 1 call stack, 12 MiB"),
        "{report}"
    );
    assert!(report.contains("  shared by \"large\"  fields  program.c:"), "{report}");
    // The same program without rules: not a word.
    let plain = script(&directory, "\"$shim\" run -- \"$program\" a");
    assert_eq!(
        (text(&plain.stdout), text(&plain.stderr), plain.status.code()),
        (String::new(), String::new(), Some(3))
    );
}
