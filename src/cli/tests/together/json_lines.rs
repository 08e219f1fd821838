//! `json=`: lines as they come, whoever reads them, and what a line has.

use crate::program::{PLACES, counts, directory, lines, script, text};
use std::time::{Duration, Instant};

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
