//! Lines that are too long for their buffer.

use record::text::Line;

/// Found by the fuzzer of SHIM_OPTIONS: a long key left neither room for the newline nor for what was expected.
#[test]
fn a_cut_line_keeps_its_newline_and_whole_characters() {
    for (text, expected) in [
        ("12345678", "1234567\n"),
        ("1234567é", "1234567\n"),
        ("123456é", "123456.\n"),
        ("12345€", "12345..\n"),
        ("1234567", "1234567\n"),
    ] {
        let mut buffer = [0; 8];
        let mut line = Line::new(&mut buffer);
        line.text(text).text("\n");
        assert_eq!(String::from_utf8_lossy(line.as_bytes()), expected, "{text}");
        let was_cut = text.len() >= 8;
        assert_eq!(line.room() == 0, was_cut || text.len() == 7, "a full line is one that may have been cut");
        line.text("more\n");
        assert_eq!(line.as_bytes().last(), Some(&b'\n'), "{text}");
    }
    let mut line = Line::new(&mut []);
    assert!(line.text("x\n").is_empty());
}
