//! The page itself: markup, style and script as they are in the source, and the data between them.
//!
//! Why the policy names hashes: nothing runs but the script that we wrote, even if something of the program's should ever
//! slip through as markup. Why `<`, `>` and `&` are escaped in the JSON: it stands inside a `script` element, which ends at
//! the first `</script`, whatever the JSON thinks.

use serde::Serialize;
use serde_json::ser::Formatter;
use sha2::{Digest, Sha256};
use std::io::{self, Write};

const PAGE: &str = include_str!("page.html");
const STYLE: &str =
    concat!(include_str!("page.css"), include_str!("flame.css"), include_str!("locks.css"), include_str!("tiers.css"));
const SCRIPT: &str = concat!(
    include_str!("elements.js"),
    include_str!("findings.js"),
    include_str!("detail.js"),
    include_str!("lifelines.js"),
    include_str!("charts.js"),
    include_str!("flame.js"),
    include_str!("calls.js"),
    include_str!("heap.js"),
    include_str!("tables.js"),
    include_str!("layers.js"),
    include_str!("order.js"),
    include_str!("locks.js"),
    include_str!("tiers.js"),
    include_str!("start.js")
);

/// Markup with a mark for each of the rest, in this order: `{{policy}}`, `{{style}}`, `{{data}}`, `{{script}}`.
pub struct Page {
    pub markup: &'static str,
    pub style: &'static str,
    pub script: &'static str,
}

const REPORT: Page = Page { markup: PAGE, style: STYLE, script: SCRIPT };

/// The page of a report.
pub fn write(data: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    REPORT.write(data, out)
}

impl Page {
    pub fn write(&self, data: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
        let mut rest = self.markup;
        for mark in MARKS {
            let Some((before, after)) = rest.split_once(mark) else { continue };
            out.write_all(before.as_bytes())?;
            match mark {
                "{{policy}}" => out.write_all(self.policy().as_bytes())?,
                "{{style}}" => out.write_all(self.style.as_bytes())?,
                "{{script}}" => out.write_all(self.script.as_bytes())?,
                _ => {
                    let mut json = serde_json::Serializer::with_formatter(&mut *out, Embedded);
                    data.serialize(&mut json).map_err(io::Error::from)?;
                }
            }
            rest = after;
        }
        out.write_all(rest.as_bytes())
    }

    fn policy(&self) -> String {
        let (style, script) = (hash(self.style), hash(self.script));
        format!(
            "default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:; base-uri 'none'; form-action 'none'"
        )
    }
}

const MARKS: [&str; 4] = ["{{policy}}", "{{style}}", "{{data}}", "{{script}}"];

/// `sha256-…`, as a policy writes it.
fn hash(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * place) & 63) as usize] as char;
            text.push(if place <= three.len() { digit } else { '=' });
        }
    }
    text
}

/// JSON that can stand inside a `script` element.
struct Embedded;

impl Formatter for Embedded {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices() {
            if matches!(c, '<' | '>' | '&' | '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                out.write_all(&fragment.as_bytes()[plain..at])?;
                write!(out, "\\u{:04x}", c as u32)?;
                plain = at + c.len_utf8();
            }
        }
        out.write_all(&fragment.as_bytes()[plain..])
    }
}

/// What holds for every page.
#[cfg(test)]
pub fn is_whole(page: &Page) {
    for mark in MARKS {
        assert_eq!(page.markup.matches(mark).count(), 1, "{mark}");
    }
    assert!(!page.script.contains("</script") && !page.style.contains("</style"));
    // Text becomes elements by textContent alone.
    for way in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "http:", "https:"]
    {
        let allowed = page.script.replace("http://www.w3.org/2000/svg", "");
        assert!(!allowed.contains(way) && !page.markup.contains(way) && !page.style.contains(way), "{way}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_element() {
        let hostile = ["</script><script>alert(1)</script>", "<!--", "a\u{2028}b&c", "\"\\"];
        let mut out = Vec::new();
        hostile.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Embedded)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains(['<', '>', '&', '\u{2028}']), "{text}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), hostile);
    }

    #[test]
    fn base64_is_the_usual_one() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn the_page_has_all_its_parts_once() {
        is_whole(&REPORT);
    }
}
