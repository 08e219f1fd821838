//! Collapsed stacks: `main;parse;load_table 7340032`, one line for each, the outermost call first.
//!
//! Stacks that differ by line only are one, because the lines name functions. A `;` in a name would end it.

use crate::heap::names::{Names, label};
use crate::heap::profile::{Entry, Measure, Profile, plus};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::rc::Rc;

pub fn write(
    profile: &Profile,
    entries: &[&Entry],
    by: Measure,
    names: &mut Names,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (stack, bytes) in stacks(profile, entries, by, names) {
        writeln!(out, "{stack} {bytes}")?;
    }
    Ok(())
}

/// In the order of their text.
pub fn stacks(profile: &Profile, entries: &[&Entry], by: Measure, names: &mut Names) -> BTreeMap<String, u64> {
    let mut known: Vec<Option<Rc<str>>> = vec![None; profile.sites_len()];
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for entry in entries {
        let mut line = String::new();
        for site in profile.sites_of(entry).iter().rev() {
            let text = known[*site as usize].get_or_insert_with(|| part(profile, *site, names));
            line.push_str(if line.is_empty() { "" } else { ";" });
            line.push_str(text);
        }
        if line.is_empty() {
            line.push_str("(no call stack)");
        }
        let sum = all.entry(line).or_default();
        *sum = plus(*sum, entry.value(by).bytes);
    }
    all
}

/// A call, and what was inlined there.
fn part(profile: &Profile, site: u32, names: &mut Names) -> Rc<str> {
    let (call, mut text) = (profile.site(site), String::new());
    for location in names.of(site).iter().rev() {
        let semicolon = if text.is_empty() { "" } else { ";" };
        write!(text, "{semicolon}{}", label(&call, location).replace(';', ":")).ok();
    }
    text.into()
}
