//! What a run placed on memory tiers, in a few lines after it; and whether the files are there that say what goes where.
//!
//! Why the command looks at the files as well: the library speaks of a rule file in every process that reads it, and lets the program
//! run. Who names a file on a command line wants to hear of a wrong name before that.

use crate::args::Keys;
use crate::escape::{bytes, shown};
use crate::files;
use crate::message::{prefix, reason};
use crate::placement::Placement;
use crate::report::tiers::{amounts, refused, rule_name, verified};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Rules without a match that are named.
const NAMED: usize = 8;

/// The variables of FlexMalloc's two files, absolute; none without `--flexmalloc`. An error is the line to say.
pub fn environment(keys: &Keys) -> Result<Vec<(&'static str, OsString)>, String> {
    if let Some(rules) = &keys.tiers {
        readable(rules)?;
    }
    let names = ["FLEXMALLOC_DEFINITIONS", "FLEXMALLOC_LOCATIONS"];
    let files = keys.flexmalloc.as_deref().unwrap_or_default();
    names.into_iter().zip(files).map(|(name, file)| Ok((name, readable(file)?.into_os_string()))).collect()
}

fn readable(path: &Path) -> Result<PathBuf, String> {
    let why = |error: io::Error| format!("{}: {}", shown(path), reason(&error));
    files::open(path).map_err(why)?;
    std::path::absolute(path).map_err(why)
}

/// Nothing of a run without tiers.
pub fn write(placement: &Placement, out: &mut dyn Write) -> io::Result<()> {
    let prefix = prefix();
    for tier in placement.tiers.iter().filter(|tier| !tier.is_heap() || !tier.is_untouched()) {
        let name = bytes(tier.name.as_bytes());
        let fault = if tier.faults > 0 {
            format!("could not be made: {}; ", bytes(tier.fault.as_bytes()))
        } else {
            String::new()
        };
        let what = if tier.allocations == 0 { "nothing was placed here".to_owned() } else { amounts(tier) };
        let refused = refused(tier).map_or_else(String::new, |refused| format!("; {refused}"));
        writeln!(out, "{prefix}tiers: {name} ({}): {fault}{what}{refused}", tier.made_of())?;
    }
    let unmatched: Vec<String> = placement.unmatched().map(rule_name).collect();
    if !unmatched.is_empty() {
        let more = unmatched.len().saturating_sub(NAMED);
        let named = unmatched.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        writeln!(out, "{prefix}tiers: never matched: {named}{more}")?;
    }
    let (pages, right) = placement.verified();
    if pages > 0 {
        writeln!(out, "{prefix}tiers: placement verified: {}", verified(pages, right))?;
    }
    Ok(())
}
