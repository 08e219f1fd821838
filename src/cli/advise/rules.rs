//! The rule file: the tiers, then a rule for each place in the program, named by module and offset.
//!
//! Why offsets and not functions: they are the same under address randomisation and without symbols, and two calls of one function are
//! two. A module is named by its build id, where it has one: a program that was built anew then has none of these places, which a
//! report shows, instead of others at the same offsets. Function and line stand beside it, for people.
//!
//! Rules: everything but our own words came from the program: strings and comments are escaped, a name has no control characters.

use super::plan::Filled;
use super::{Advice, Placed};
use crate::escape::bytes;
use crate::heap::names::{base, label};
use crate::merge::Site;
use crate::report::text::call_site;
use crate::size;
use std::fmt::Write;
use std::sync::Arc;

/// What the rules of this command begin with. In a file that is given as --tier-file, what follows was advice.
pub const BEGIN: &str = "# Rules by shim advise";

/// Longest name of a rule.
const NAME: usize = 60;
/// Bytes of a build id: enough to tell builds apart.
const BUILD_ID: usize = 10;

/// The whole file; `given` is the text of the --tier-file.
pub fn write(advice: &Advice, given: Option<&str>) -> String {
    let mut out = String::new();
    match given {
        Some(text) => {
            let kept = text.find(BEGIN).map_or(text, |end| &text[..end]).trim_end();
            out.push_str(kept);
            out.push_str("\n\n");
        }
        None => advice.plan.filled.iter().for_each(|one| tier(one, &mut out)),
    }
    let _ = writeln!(out, "{BEGIN}, for {}.", advice.whom);
    let _ = writeln!(out, "# A byte is worth its {}.", advice.worth);
    for one in &advice.plan.filled {
        let _ = writeln!(out, "# {}", advice.filled(one));
    }
    for placed in &advice.rules {
        rule(advice, placed, &mut out);
    }
    out
}

/// A tier of which nobody has said what it is.
fn tier(one: &Filled, out: &mut String) {
    let _ = write!(
        out,
        "# Ordinary memory: say what this tier is, docs/tiers.md.\n[[tier]]\nname = {}\nkind = \"memfd\"\ncapacity = \"{}\"\n\n",
        string(&one.room.name),
        exactly(one.room.capacity),
    );
}

fn rule(advice: &Advice, placed: &Placed, out: &mut String) {
    let tier = placed.tier.map_or("heap", |tier| advice.plan.filled[tier].room.name.as_str());
    let _ = write!(out, "\n[[rule]]\nname = {}\ntier = {}\nstack = [\n", string(&name(placed)), string(tier));
    for (site, location) in &placed.calls {
        let text = call_site(location).unwrap_or_else(|| label(site, location));
        let module = site.module.as_ref().map(|module| bytes(base(&module.path))).unwrap_or_default();
        let _ = writeln!(out, "  {},  # {} in {}", string(&place(site)), text, module);
    }
    out.push_str("]\n");
    if placed.tier.is_some() {
        let _ = writeln!(out, "limit = \"{}\"", exactly(placed.limit));
    }
}

/// The call that a person would name, cut to what a rule may be called.
fn name(placed: &Placed) -> String {
    let mut name = placed.title.clone();
    if name.len() > NAME {
        let end = (0..=NAME).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        name.truncate(end);
        name.push('…');
    }
    name
}

/// `build-id:…+0x11f0`, `libfoo.so+0x11f0`; `*` for code without a module.
pub fn place(site: &Site) -> String {
    let Some(module) = &site.module else { return "*".to_owned() };
    let offset = site.offset;
    if module.build_id.len() >= 4 {
        let id: String = module.build_id.iter().take(BUILD_ID).map(|byte| format!("{byte:02x}")).collect();
        return format!("build-id:{id}+{offset:#x}");
    }
    match pattern(base(&module.path)) {
        Some(pattern) => format!("{pattern}+{offset:#x}"),
        None => "*".to_owned(),
    }
}

/// Can a rule name the module of this call?
pub fn is_nameable(module: Option<&Arc<crate::merge::ModuleId>>) -> bool {
    module.is_some_and(|module| module.build_id.len() >= 4 || pattern(base(&module.path)).is_some())
}

/// A glob for this name alone. Nothing for a name that no glob can be written for.
fn pattern(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty() && name.len() < 500)?;
    let mut out = String::new();
    for c in name.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    Some(out)
}

/// A string of TOML.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A size that reads back as the same number, in the largest unit that it is a whole number of.
fn exactly(bytes: u64) -> String {
    let unit =
        [(30, "G"), (20, "M"), (10, "K")].into_iter().find(|(bits, _)| bytes > 0 && bytes.is_multiple_of(1 << bits));
    match unit {
        Some((bits, unit)) => format!("{}{unit}", bytes >> bits),
        None => bytes.to_string(),
    }
}

/// What is needed and more, as a limit: a size of few digits.
pub fn with_headroom(bytes: u64, error: f64) -> u64 {
    let more = (bytes as f64 * (1.0 + (2.0 * error).clamp(0.1, 1.0))) as u64;
    // Of four binary digits, and of whole pages.
    let step = (1u64 << (63 - more.max(1).leading_zeros())) >> 3;
    more.max(1).checked_next_multiple_of(step.max(4096)).unwrap_or(more)
}

/// `fast: 3.9 GiB of 4.0 GiB …`
pub fn filled(one: &Filled, sites: usize, total: u128, unit: &str) -> String {
    let share = |value: u128| match total {
        0 => "0 %".to_owned(),
        total => format!("{:.1} %", value as f64 * 100.0 / total as f64),
    };
    let s = if sites == 1 { "" } else { "s" };
    let best = if one.is_proved {
        "the best there is".to_owned()
    } else {
        format!("at most {} is possible", share(one.bound))
    };
    let shared = if one.together > one.most && one.most > 0 {
        format!(", shared over time by {}", size::bytes(one.together))
    } else {
        String::new()
    };
    format!(
        "{}: {} of {} for {sites} call stack{s}{shared}: {} of the {unit}, {best}; greedy {}",
        bytes(one.room.name.as_bytes()),
        size::bytes(one.most),
        size::bytes(one.room.capacity),
        share(one.exact),
        share(one.greedy),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::ModuleId;

    fn site(path: &[u8], build_id: &[u8]) -> Site {
        Site { module: Some(Arc::new(ModuleId { path: path.to_vec(), build_id: build_id.to_vec() })), offset: 0x11f0 }
    }

    #[test]
    fn places() {
        assert_eq!(place(&site(b"/srv/app", &[0xab; 20])), "build-id:abababababababababab+0x11f0");
        assert_eq!(place(&site(b"/srv/lib*[x].so", &[])), r"lib\*\[x\].so+0x11f0");
        assert_eq!(place(&site(b"/srv/\xff", &[])), "*");
        assert_eq!(place(&Site { module: None, offset: 1 }), "*");
        assert!(!is_nameable(None) && is_nameable(site(b"/a", &[]).module.as_ref()));
        assert!(!is_nameable(site(b"/\xff", &[]).module.as_ref()));
    }

    #[test]
    fn texts_and_sizes() {
        assert_eq!(string("a\"b\\c\u{1b}\n"), r#""a\"b\\c\u001b\u000a""#);
        assert_eq!([4 << 30, 3 << 20, 1024, 1023, 0].map(exactly), ["4G", "3M", "1K", "1023", "0"]);
        for bytes in [1, 4096, 1_000_000, 5 << 30, u64::MAX >> 3] {
            let limit = with_headroom(bytes, 0.0);
            assert!(limit >= bytes + bytes / 10 && limit.is_multiple_of(4096), "{bytes} {limit}");
            assert!(limit <= bytes + bytes / 2 + 4096, "{bytes} {limit}");
        }
        assert!(with_headroom(1 << 30, 0.3) >= (1 << 30) * 16 / 10);
    }
}
