//! The command and the library that `make build` made, together: lines of JSON as they come, suppressions that either side
//! decides, and the status of a run.
//!
//! The C tests judge single programs under the library; here it is what a fleet needs of both. Wants `make build` before it.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A test may end so.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// `twice` is exported, `hidden` is not.
const PROGRAM: &str = r#"
    #define _GNU_SOURCE
    #include <fcntl.h>
    #include <pthread.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/wait.h>
    #include <unistd.h>
    __attribute__((noinline)) void twice(void) { int fd = dup(0); close(fd); if (close(fd) == 0) _exit(90); __asm__(""); }
    __attribute__((noinline)) static void hidden(void) { int fd = dup(0); close(fd); if (close(fd) == 0) _exit(91); __asm__(""); }
    __attribute__((noinline)) void *fields(size_t size) { char *block = malloc(size); if (block) memset(block, 1, size); __asm__(""); return block; }
    int main(int count, char **arguments) {
        const char *what = count > 1 ? arguments[1] : "";
        if (strchr(what, 'n')) pthread_setname_np(pthread_self(), "\"\\\n\x1b[2J\xff\t12345");
        if (strchr(what, 'r')) { close(9); int fd = open("data", O_RDWR | O_CREAT | O_APPEND, 0600); if (dup2(fd, 9) != 9 || close(fd)) return 92; }
        if (strchr(what, 't')) for (volatile int i = 0; i < 5; i++) twice();
        if (strchr(what, 'h')) hidden();
        if (strchr(what, 'a')) { for (volatile int i = 0; i < 3; i++) if (fields(4 << 20) == fields(1 << 20)) return 95; }
        if (strchr(what, 'c')) {
            int pid = fork(), status;
            if (pid == 0) { twice(); _exit(0); }
            waitpid(pid, &status, 0);
            if (status != 0) return 93;
        }
        if (strchr(what, 'x')) { char *again[] = {arguments[0], arguments[2], NULL}; execv(arguments[0], again); return 94; }
        return 3;
    }
"#;

struct Places {
    library: PathBuf,
    shim: PathBuf,
    scratch: PathBuf,
    program: PathBuf,
}

static PLACES: LazyLock<Places> = LazyLock::new(|| {
    let exe = std::env::current_exe().unwrap();
    // target/<profile>/deps/together-<hash>
    let release = exe.ancestors().nth(3).unwrap().join("release");
    let (library, shim) = (release.join("libshim.so"), release.join("shim"));
    assert!(library.exists() && shim.exists(), "{}: not there; run `make build` first", library.display());
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("together.{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let program = scratch.join("program");
    std::fs::write(scratch.join("program.c"), PROGRAM).unwrap();
    let flags = ["-g", "-O1", "-rdynamic", "-pthread", "-o", "program", "program.c"];
    assert!(Command::new("gcc").args(flags).current_dir(&scratch).status().unwrap().success());
    Places { library, shim, scratch, program }
});

fn directory(name: &str) -> PathBuf {
    let path = PLACES.scratch.join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A shell script in a directory of its own, where `$shim` is the command, `$program` the program, and `watched OPTIONS WORD…`
/// runs the program under the library alone.
fn script(directory: &Path, text: &str) -> Output {
    let functions = r#"watched() { options=$1; shift; LD_PRELOAD=$library SHIM_OPTIONS=$options "$program" "$@"; }"#;
    let mut command = Command::new("bash");
    command.args(["-c", &format!("{functions}\n{text}")]).current_dir(directory).stdin(Stdio::null());
    command.env("shim", &PLACES.shim).env("program", &PLACES.program).env("library", &PLACES.library);
    command.env_remove("LD_PRELOAD").env_remove("SHIM_OPTIONS").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn counts(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|l| l["count"].as_u64().unwrap()).collect()
}

#[test]
fn a_line_as_it_is_found_and_one_with_the_count_at_the_end() {
    let directory = directory("lines");
    let output = script(&directory, r#"watched "json=out" nt 2>err; echo $?"#);
    assert_eq!(text(&output.stdout), "3\n");
    let lines = lines(&directory.join("out"));
    assert_eq!(counts(&lines), [1, 5]);
    for line in &lines {
        assert_eq!(line["thread"], "\"\\\n\u{1b}[2J\u{fffd}\t12345");
        assert_eq!((&line["kind"], &line["severity"]), (&"fd.double-close".into(), &"error".into()));
        let frames = line["stacks"][0]["frames"].as_array().unwrap();
        assert_eq!((&line["stacks"][0]["role"], &frames[0]["function"]), (&"here".into(), &"twice".into()));
        assert_eq!(frames[0]["module"], PLACES.program.to_str().unwrap());
        assert!(frames[0]["offset"].as_str().unwrap().starts_with("0x"));
        assert!(frames.iter().all(|f| f.get("file").is_none() && f.get("line").is_none()));
    }
    // A clean program writes nothing.
    script(&directory, r#"watched "json=clean" ''"#);
    assert_eq!(std::fs::read(directory.join("clean")).unwrap(), b"");
}

#[test]
fn children_write_their_own_lines() {
    let directory = directory("children");
    script(&directory, r#"watched "json=one" tc; watched "json=own.%p.%e" tc"#);
    let one = lines(&directory.join("one"));
    assert_eq!(counts(&one), [1, 1, 5]);
    assert_ne!(one[0]["pid"], one[1]["pid"]);
    let mut own: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|e| e.unwrap().path()).collect();
    own.retain(|path| path.extension().is_some_and(|e| e == "program"));
    let mut of_each: Vec<Vec<u64>> = own.iter().map(|path| counts(&lines(path))).collect();
    of_each.sort();
    assert_eq!(of_each, [vec![1], vec![1, 5]]);
}

#[test]
fn a_descriptor_that_the_program_was_started_with() {
    let directory = directory("descriptor");
    let output = script(&directory, r#"$shim run --json-lines fd:9 -- "$program" rt 9>out 2>err; echo $?"#);
    assert_eq!(text(&output.stdout), "3\n");
    assert_eq!(counts(&lines(&directory.join("out"))), [1, 5], "ours is private: the program has closed and reused 9");
    assert_eq!(std::fs::read(directory.join("data")).unwrap(), b"");

    // The program reuses the number, and executes another: its 9 is not the one that was meant.
    let output = script(&directory, r#"$shim run --json-lines fd:9 -- "$program" rtx t 9>out2 2>err2; echo $?"#);
    assert_eq!(text(&output.stdout), "3\n");
    assert_eq!(counts(&lines(&directory.join("out2"))), [1, 5], "before the exec");
    assert_eq!(std::fs::read(directory.join("data")).unwrap(), b"", "the program's file is not ours to write to");
    let said = std::fs::read_to_string(directory.join("err2")).unwrap();
    assert!(said.contains("cannot be written to (another file has the number now)"), "{said}");

    // Where it is inherited, the executed program goes on writing.
    script(&directory, r#"$shim run --json-lines fd:9 -- "$program" tx t 9>>out3 2>err3"#);
    assert_eq!(counts(&lines(&directory.join("out3"))), [1, 5, 1, 5]);

    for (options, why) in [("json=fd\\:9", "not open"), ("json=fd\\:8", "open for reading only")] {
        let output = script(&directory, &format!("watched '{options}' '' 8</dev/null"));
        assert!(text(&output.stderr).contains(&format!("cannot be written to ({why}); no lines of JSON\n")));
        assert_eq!(output.status.code(), Some(3));
    }
    for (options, expected) in [("json=", "expected a path or fd:N"), ("json=fd\\:x", "expected fd:N")] {
        let output = script(&directory, &format!("watched '{options}' ''"));
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
    assert_eq!(script(&directory, r#"$shim run --json-lines fd:9 true"#).status.code(), Some(125));
}

#[test]
fn a_reader_that_is_gone_or_asleep_does_no_harm() {
    let directory = directory("reader");
    let gone = r#"
        mkfifo gone; exec 8<>gone; exec 9>gone; exec 8<&-
        watched "json=fd\:9" tch 2>err; echo $?"#;
    assert_eq!(text(&script(&directory, gone).stdout), "3\n", "no SIGPIPE reaches the program");
    let begin = Instant::now();
    let asleep = r#"
        mkfifo full; exec 9<>full
        dd if=/dev/zero of=full bs=4096 count=1000 oflag=nonblock 2>/dev/null
        watched "json=fd\:9" tch 2>err; echo $?"#;
    assert_eq!(text(&script(&directory, asleep).stdout), "3\n");
    assert!(begin.elapsed() < Duration::from_secs(10));
    let said = std::fs::read_to_string(directory.join("err")).unwrap();
    assert!(said.contains("messages lost"), "{said}");
}

#[test]
fn the_process_decides_by_exported_functions_and_the_command_the_rest() {
    let directory = directory("decides");
    std::fs::write(directory.join("twice"), "fd.* function=twice module=program\n").unwrap();
    let silent = script(&directory, "watched 'suppressions=twice:error_exitcode=9:fd=abort:json=out' tc");
    assert_eq!((silent.status.code(), text(&silent.stderr).as_str()), (Some(3), ""));
    assert_eq!(std::fs::read(directory.join("out")).unwrap(), b"");
    let other = script(&directory, "watched 'suppressions=twice:error_exitcode=9:json=out' th");
    assert_eq!(other.status.code(), Some(9));
    assert!(text(&other.stderr).contains(": 1 error, 0 suspects; 5 events suppressed\n"), "{}", text(&other.stderr));
    assert_eq!(counts(&lines(&directory.join("out"))), [1]);

    std::fs::write(directory.join("both"), "fd.* function=twice\nfd.* function=hidden\nfd.leak\n").unwrap();
    let run = r#"$shim run --report found --error-exitcode 9 --suppressions"#;
    let all = script(&directory, &format!("{run} both -- $program tch"));
    assert_eq!(all.status.code(), Some(3));
    let path = directory.join("both");
    let unused = format!("shim: unused suppression {}:3: fd.leak\n", path.display());
    // Twice: in the parent and in the child, by other callers.
    assert_eq!(text(&all.stderr), format!("shim: 3 findings suppressed\n{unused}"));
    let child = script(
        &directory,
        "echo 'fd.* function=hidden' >hidden; $shim run --error-exitcode 9 --suppressions hidden $program hc",
    );
    assert_eq!(child.status.code(), Some(9), "an error in a child counts");
}

#[test]
fn what_suppress_writes_silences_the_next_run() {
    let directory = directory("silences");
    let steps = r#"
        $shim run --record r -- "$program" tch 2>/dev/null
        $shim suppress r -o known && $shim report --json --suppressions known r
        $shim run --error-exitcode 9 --report found --suppressions known -- "$program" tch; echo $?
        watched "suppressions=known" tc; echo $?"#;
    let output = script(&directory, steps);
    assert_eq!(text(&output.stdout), "3\n3\n");
    assert_eq!(text(&output.stderr), "shim: 3 findings suppressed\n");
    let known = std::fs::read_to_string(directory.join("known")).unwrap();
    let plain: Vec<&str> = known.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = ["twice", "hidden"].map(|f| format!("fd.double-close function={f} module=program"));
    assert_eq!(plain, expected, "{known}");
}

/// `mm` has a malloc of its own.
const OWN_MALLOC: &str = r#"
    #include <stdio.h>
    #include <string.h>
    static char pool[1 << 20];
    static unsigned long used;
    void *malloc(unsigned long n) { unsigned long at = used; used += (n + 31) & ~15ul; return used < sizeof pool ? pool + at + 16 : 0; }
    void *calloc(unsigned long a, unsigned long b) { return malloc(a * b); }
    void *realloc(void *p, unsigned long n) { void *q = malloc(n); if (p && q) memcpy(q, p, n); return q; }
    void free(void *p) { (void)p; }
    int main(void) { return strdup("text") == 0; }
"#;

#[test]
fn a_malloc_that_is_not_ours_is_named() {
    let directory = directory("elsewhere");
    std::fs::write(directory.join("mm.c"), OWN_MALLOC).unwrap();
    let output = script(
        &directory,
        r#"gcc -w -o mm mm.c || exit 1
        $shim run --record r -- ./mm 2>run; $shim report r; $shim heap r 2>&1; echo $?; $shim run --heap full -- ./mm 2>asked; grep -c "malloc is that of .*/mm" asked"#,
    );
    let said = text(&output.stdout);
    assert!(said.contains("the heap of mm, whose malloc is that of "), "{said}");
    assert!(said.contains("has nothing of the heap: malloc is that of ") && said.ends_with("\n1\n1\n"), "{said}");
    assert_eq!(std::fs::read_to_string(directory.join("run")).unwrap(), "", "a clean process says nothing");
}

const FREES: &str = r#"
    #include <stdlib.h>
    int main(void) { char *p = malloc(40); char *volatile q = p + 16; free(q); q = p; free(q); free(q); return 0; }
"#;

#[test]
fn lines_of_json_have_the_block() {
    let directory = directory("blocks");
    std::fs::write(directory.join("ff.c"), FREES).unwrap();
    let options = "heap=protect:json=out";
    script(
        &directory,
        &format!("gcc -w -fno-builtin -o ff ff.c && LD_PRELOAD=$library SHIM_OPTIONS={options} ./ff 2>err"),
    );
    let found = lines(&directory.join("out"));
    let of = |kind: &str| found.iter().find(|l| l["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {found:?}"));
    let (inside, again) = (&of("heap.invalid-free")["resource"]["block"], &of("heap.double-free")["resource"]["block"]);
    assert_eq!((inside["size"].as_u64(), inside["offset"].as_i64()), (Some(40), Some(16)));
    assert_eq!((again["size"].as_u64(), again["offset"].as_i64()), (Some(40), Some(0)));
    assert_eq!(inside["address"], again["address"]);
    assert_eq!(again["allocated_by"], "malloc");
}

/// Of each page of `shim explain` about locks: its program is reported for what the page says.
#[test]
fn programs_of_lock_pages_do_what_they_say() {
    let here = directory("explained");
    let list = text(&Command::new(&PLACES.shim).arg("explain").output().unwrap().stdout);
    let mut ran = 0;
    for kind in list.lines().filter_map(|line| line.split(' ').next()).filter(|kind| kind.starts_with("lock.")) {
        let page = text(&Command::new(&PLACES.shim).args(["explain", kind]).output().unwrap().stdout);
        let Some(program) = page.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()) else { continue };
        std::fs::write(here.join(format!("{kind}.c")), program).unwrap();
        let options = match kind {
            "lock.order" => "locks=order",
            "lock.write-under-read" => "lock_watch=1:heap=full",
            _ => "locks=observe",
        };
        let said = script(
            &here,
            &format!(
                "gcc -g -O1 -pthread -o {kind} {kind}.c && mkdir {kind}.d || exit 99
                 LD_PRELOAD=$library SHIM_OPTIONS={options}:record={kind}.d timeout 20 ./{kind} > {kind}.out 2>&1
                 $shim report --json {kind}.d"
            ),
        );
        let found = format!("\"kind\":\"{kind}\"");
        assert!(text(&said.stdout).contains(&found), "{kind}: {}{}", text(&said.stdout), text(&said.stderr));
        ran += 1;
    }
    assert!(ran >= 10, "{ran} programs");
}

/// Of each page about memory tiers: its program and its first rule file are reported for what the page says, with its severity; with
/// the second one, which puts it right, there is nothing to report.
#[test]
fn programs_of_tier_pages_do_what_they_say() {
    let here = directory("explained-tiers");
    for (kind, severity, count, status) in [("tier.full", "error", 4, 4), ("tier.config", "info", 1, 0)] {
        let page = text(&Command::new(&PLACES.shim).args(["explain", kind]).output().unwrap().stdout);
        let fenced = |fence: &str, nth: usize| {
            let part = page.split(fence).nth(nth).and_then(|rest| rest.split("```").next());
            part.unwrap_or_else(|| panic!("{kind}: {nth} of {fence}")).to_owned()
        };
        std::fs::write(here.join(format!("{kind}.c")), fenced("```c\n", 1)).unwrap();
        std::fs::write(here.join(format!("{kind}.wrong.toml")), fenced("```toml\n", 1)).unwrap();
        std::fs::write(here.join(format!("{kind}.right.toml")), fenced("```toml\n", 2)).unwrap();
        let found = |rules: &str, status: i32| {
            let said = script(
                &here,
                &format!(
                    "[ -x {kind} ] || gcc -g -O1 -Wall -Wextra -Werror -o {kind} {kind}.c || exit 99
                     mkdir {kind}.{rules}.d || exit 98
                     LD_PRELOAD=$library SHIM_OPTIONS=tiers={kind}.{rules}.toml:record={kind}.{rules}.d ./{kind} 2> /dev/null
                     [ $? = {status} ] || exit 97
                     $shim report --json {kind}.{rules}.d"
                ),
            );
            assert_ne!(said.status.code(), Some(97), "{kind} {rules}: another status than {status}");
            assert!(said.status.code().is_some_and(|code| code < 90), "{kind} {rules}: {}", text(&said.stderr));
            text(&said.stdout)
        };
        let wrong = found("wrong", status);
        let line = wrong.lines().find(|line| line.contains(&format!("\"kind\":\"{kind}\"")));
        let line = line.unwrap_or_else(|| panic!("{kind}: {wrong}"));
        assert!(line.contains(&format!("\"severity\":\"{severity}\"")), "{line}");
        assert!(line.contains(&format!("\"count\":{count},")), "{line}");
        let right = found("right", 0);
        assert!(!right.contains("\"kind\":"), "{kind}: {right}");
    }
}

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

#[test]
fn the_table_of_keys() {
    let here = directory("keys");
    let source = r#"
        #include <pthread.h>
        #include <stdlib.h>
        static pthread_key_t first, second, third;
        static void ends(void *value) { free(value); }
        int main(void) {
            return pthread_key_create(&first, ends) || pthread_key_create(&second, NULL) || pthread_key_create(&third, NULL)
                || pthread_key_delete(second);
        }
    "#;
    std::fs::write(here.join("keys.c"), source).unwrap();
    let output = script(
        &here,
        "gcc -g -pthread -o keys keys.c && LD_PRELOAD=$library SHIM_OPTIONS=record=r:keys=protect ./keys && $shim report --keys r",
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |index: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{index}  ")));
        line.unwrap_or_else(|| panic!("{index}: {text}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(text.contains("keys of keys (pid "), "{text}");
    assert_eq!(line("0"), "0 decoy - - -");
    assert_eq!(line("1"), "1 live first (keys) main keys.c:7 ends (keys)");
    assert_eq!(line("2"), "2 deleted second (keys) main keys.c:7 -");
    assert_eq!(line("3"), "3 live third (keys) main keys.c:7 -");
    assert_eq!(line("31"), "31 shim - - -");
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

#[test]
fn recordings_where_nobody_else_may_put_files() {
    let directory = directory("trusted");
    let output = script(
        &directory,
        r#"mkdir open sticky own private; chmod 777 open; chmod 1777 sticky; chmod 755 own; chmod 700 private
           ln -s private link
           [ "$(id -u)" != 0 ] || { ln -s private others; chown -h 65534 others; }
           for d in open sticky own private link others/ new; do watched "record=$PWD/$d:report=$PWD/said" h; echo "$d $?"; done
           stat -c '%a' */*.shim | sort -u; stat -c '%a' new
           for d in open sticky own private new; do ls $d | wc -l; done"#,
    );
    let ran = "open 3\nsticky 3\nown 3\nprivate 3\nlink 3\nothers/ 3\nnew 3\n";
    // Through the link of one's own into `private`.
    assert_eq!(text(&output.stdout), format!("{ran}600\n700\n0\n1\n1\n2\n1\n"), "{}", text(&output.stderr));
    let said = std::fs::read_to_string(directory.join("said")).unwrap();
    assert!(said.contains("/open: no recording (anybody may write there"), "{said}");
    if directory.join("others").is_symlink() {
        assert!(said.contains("/others/: no recording (a symbolic link of another user)"), "{said}");
    }
}

/// Found by the fuzzer of SHIM_OPTIONS: what was long left no room for what was expected, nor for the newline.
#[test]
fn a_complaint_about_options_is_one_whole_line_however_long_they_are() {
    let directory = directory("options");
    for (options, expected) in [
        ("fd=$(printf %0999d 7)".to_owned(), "expected observe, protect, abort or off"),
        ("$(printf %0999d 7)=1".to_owned(), "(known: preset, fd, heap, "),
        ("$(printf %0999d 7)".to_owned(), "expected key=value"),
        ("fd=$(printf '\\303\\251%.0s' $(seq 99))".to_owned(), "expected observe, protect, abort or off"),
        ("snapshot_signal=RTMIN+2147483647".to_owned(), "expected a signal such as USR2 or RTMIN+3"),
    ] {
        let output = script(&directory, &format!(r#"watched "{options}" ''"#));
        let said = text(&output.stderr);
        let first = said.lines().next().unwrap_or_default();
        assert!(first.starts_with("shim: SHIM_OPTIONS: ") && first.contains(expected), "{said:?}");
        assert!(said.ends_with('\n') && said.lines().count() == 1, "{said:?}");
    }
}
