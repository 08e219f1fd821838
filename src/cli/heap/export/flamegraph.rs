//! A flame graph as one SVG, with search and zoom in a browser: `inferno` draws the collapsed stacks.

use super::collapsed;
use crate::heap::names::Names;
use crate::heap::profile::{Entry, Measure, Profile};
use crate::heap::text::of_whom;
use inferno::flamegraph::color::{BasicPalette, Palette};
use inferno::flamegraph::{self, Options};
use std::io::{self, Write};

pub fn write(
    profile: &Profile,
    entries: &[&Entry],
    by: Measure,
    names: &mut Names,
    out: &mut dyn Write,
) -> io::Result<()> {
    let lines: Vec<String> = collapsed::stacks(profile, entries, by, names)
        .into_iter()
        .map(|(stack, bytes)| format!("{stack} {bytes}"))
        .collect();
    let mut options = Options::default();
    options.title = format!("Heap of {}: bytes {}", of_whom(profile), by.words());
    options.count_name = "bytes".to_owned();
    options.colors = Palette::Basic(BasicPalette::Mem);
    options.deterministic = true;
    options.no_sort = false;
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), out)
}
