//! Suppressions, of which the process decides some and the command the rest, and the status of a run.

use crate::program::{counts, directory, lines, script, text};

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
