//! Call stacks for spreadsheets: one row each, named by the call of the program, with all measures.

use crate::escape::{bytes, shown};
use crate::heap::names::{Names, label, place};
use crate::heap::profile::{Entry, Measure};
use crate::report::csv::row;
use std::io::{self, Write};

const COLUMNS: [&str; 16] = [
    "function",
    "file",
    "line",
    "module",
    "offset",
    "live_bytes",
    "live_blocks",
    "peak_bytes",
    "peak_blocks",
    "total_bytes",
    "total_blocks",
    "lost_bytes",
    "lost_blocks",
    "observed",
    "error",
    "stack",
];

pub fn write(entries: &[&Entry], names: &mut Names, out: &mut dyn Write) -> io::Result<()> {
    row(&COLUMNS.map(str::to_owned), out)?;
    for entry in entries {
        let calls = names.stack(entry);
        let mut cells = match calls.get(place(&calls)) {
            None => vec![String::new(); 5],
            Some((site, location)) => vec![
                location.function.as_ref().map(shown).unwrap_or_default(),
                location.file.as_ref().map(shown).unwrap_or_default(),
                location.line.map(|line| line.to_string()).unwrap_or_default(),
                site.module.as_ref().map(|module| bytes(&module.path)).unwrap_or_default(),
                format!("{:#x}", site.offset),
            ],
        };
        for measure in [Measure::Live, Measure::Peak, Measure::Total, Measure::Lost] {
            let value = entry.value(measure);
            cells.extend([value.bytes.to_string(), value.blocks.to_string()]);
        }
        cells.push(entry.observed.to_string());
        cells.push(entry.value(Measure::Total).error().map(|error| format!("{error:.4}")).unwrap_or_default());
        let stack: Vec<String> = calls.iter().map(|(site, location)| label(site, location)).collect();
        cells.push(stack.join(" ← "));
        row(&cells, out)?;
    }
    Ok(())
}
