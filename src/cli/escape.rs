//! Names and texts that somebody else chose, made safe for a terminal: by the rules of [`record::text::Line::foreign`],
//! which the library follows too.

use record::text::Line;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Control characters, what would change the direction of text, and bytes that are not UTF-8, as `\xNN`.
pub fn shown(text: impl AsRef<OsStr>) -> String {
    bytes(text.as_ref().as_bytes())
}

pub fn bytes(text: &[u8]) -> String {
    // As nearly all are: nothing to escape.
    if let Ok(plain) = std::str::from_utf8(text)
        && text.iter().all(|b| (0x20..0x7f).contains(b))
    {
        return plain.to_owned();
    }
    // Each byte becomes four at most.
    let mut buffer = vec![0; text.len() * 4];
    let mut line = Line::new(&mut buffer);
    line.foreign(text);
    String::from_utf8_lossy(line.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_hostile_name_is_shown() {
        assert_eq!(super::shown("a\u{1b}[2Jb\u{202e}"), r"a\x1b[2Jb\xe2\x80\xae");
        assert_eq!(super::bytes(b"\xff\xfe"), r"\xff\xfe");
    }
}
