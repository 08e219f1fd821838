//! `SHIM_OPTIONS`: how `shim run` writes it, and what it must read of one that is already there.
//!
//! `key=value:key=value`, where `\:` is a colon inside a value. There is no other escape, so a value cannot end in a
//! backslash. Later keys override earlier ones: what the environment holds comes first, the command line after it.

use crate::escape::shown;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

pub const VARIABLE: &str = "SHIM_OPTIONS";

/// The value of the variable: what was there, then `pairs`.
pub fn merge(existing: Option<&OsStr>, pairs: &[(&str, OsString)]) -> Result<OsString, String> {
    let mut merged = existing.map(|e| e.as_bytes().to_vec()).unwrap_or_default();
    for (key, value) in pairs {
        if value.as_bytes().ends_with(b"\\") {
            return Err(format!("--{key} {}: a value cannot end in a backslash", shown(value)));
        }
        if !merged.is_empty() {
            merged.push(b':');
        }
        merged.extend_from_slice(key.as_bytes());
        merged.push(b'=');
        push(&mut merged, value.as_bytes());
    }
    Ok(OsString::from_vec(merged))
}

/// The last value of a key, with its escapes resolved.
pub fn value(options: &OsStr, key: &str) -> Option<OsString> {
    let mut found = None;
    for item in split(options.as_bytes()) {
        if let Some(value) = item.strip_prefix(key.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) {
            found = Some(OsString::from_vec(value.to_vec()));
        }
    }
    found.filter(|value| !value.is_empty())
}

/// The variable without the settings of a key that make sense to `read`, and what the last of them was.
pub fn take<T>(options: &OsStr, key: &str, read: impl Fn(&[u8]) -> Option<T>) -> (OsString, Option<T>) {
    let mut taken = None;
    let mut rest: Vec<u8> = Vec::new();
    for item in split(options.as_bytes()) {
        let value = item.strip_prefix(key.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        if let Some(value) = value.and_then(&read) {
            taken = Some(value);
            continue;
        }
        if !rest.is_empty() {
            rest.push(b':');
        }
        push(&mut rest, &item);
    }
    (OsString::from_vec(rest), taken)
}

/// Appends text with its colons escaped.
fn push(to: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        if *byte == b':' {
            to.push(b'\\');
        }
        to.push(*byte);
    }
}

fn split(options: &[u8]) -> Vec<Vec<u8>> {
    let mut items = vec![Vec::new()];
    let mut last = Vec::new();
    let mut bytes = options.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if bytes.next_if_eq(&b':').is_some() => last.push(b':'),
            b':' => items.push(std::mem::take(&mut last)),
            _ => last.push(byte),
        }
    }
    items.push(last);
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(existing: Option<&str>, pairs: &[(&'static str, &str)]) -> String {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| (*k, OsString::from(v))).collect();
        merge(existing.map(OsStr::new), &pairs).unwrap().into_string().unwrap()
    }

    #[test]
    fn the_command_line_comes_last() {
        assert_eq!(merged(None, &[]), "");
        assert_eq!(merged(None, &[("fd", "protect"), ("follow", "0")]), "fd=protect:follow=0");
        assert_eq!(merged(Some("fd=off"), &[("fd", "protect")]), "fd=off:fd=protect");
        assert_eq!(value(OsStr::new("fd=off:fd=protect"), "fd"), Some("protect".into()));
        assert_eq!(merged(Some(""), &[("fd", "off")]), "fd=off");
    }

    #[test]
    fn colons_in_values_survive() {
        for path in ["/a:b", ":", "/a\\:b", "/a\\b:c", "::/x"] {
            let options = merged(Some("fd=off"), &[("record", path), ("follow", "1")]);
            assert_eq!(value(OsStr::new(&options), "record"), Some(path.into()), "{options}");
            assert_eq!(value(OsStr::new(&options), "follow"), Some("1".into()), "{options}");
        }
        assert_eq!(merged(None, &[("record", "/a:b")]), "record=/a\\:b");
    }

    #[test]
    fn a_value_cannot_end_in_a_backslash() {
        assert!(merge(None, &[("record", "/a\\".into())]).is_err());
    }

    #[test]
    fn a_key_is_taken_and_the_rest_stays() {
        let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse::<u8>().ok();
        for (options, rest, taken) in [
            ("", "", None),
            ("fd=off", "fd=off", None),
            ("error_exitcode=3", "", Some(3)),
            ("error_exitcode=3:fd=off:error_exitcode=7", "fd=off", Some(7)),
            ("record=/a\\:error_exitcode=3:fd=off", "record=/a\\:error_exitcode=3:fd=off", None),
            ("error_exitcode=red:x=\\:\\\\::error_exitcode=0", "error_exitcode=red:x=\\:\\\\:", Some(0)),
            ("xerror_exitcode=3", "xerror_exitcode=3", None),
        ] {
            assert_eq!(take(OsStr::new(options), "error_exitcode", number), (rest.into(), taken), "{options}");
        }
    }

    #[test]
    fn keys_are_whole_words() {
        assert_eq!(value(OsStr::new("xrecord=/a:record"), "record"), None);
        assert_eq!(value(OsStr::new("record=/a:record="), "record"), None);
    }
}
