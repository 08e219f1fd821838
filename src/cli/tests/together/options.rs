//! What the library refuses or complains of at start.

use crate::program::{directory, script, text};

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
