//! The table of thread-specific keys of a process: whose they are, who has created them.
//!
//! ```text
//! keys of app (pid 12): 3 in use
//!   index  state    variable                created by              destructor
//!       0  live     plugin_key (plugin.so)  plugin_begin  p.c:12    free (libc.so.6)
//! ```
//!
//! Why a look of its own: the table is what the process had at its end, not a finding. `shim top` shows the same rows of one
//! that runs.

use crate::merge::{Site, Sites, program};
use crate::modules::{Modules, base};
use crate::recordings::{self, Loaded};
use crate::report::text;
use crate::symbolise::Symboliser;
use crate::target::who;
use std::io::{self, Write};
use std::path::Path;
use track::actor::Party;
use track::key::{Slot, State};

/// One index, with the names of what it points to.
pub struct Key {
    pub index: usize,
    pub state: &'static str,
    /// Somebody has it.
    pub is_taken: bool,
    /// The program's, now or before: not only the C library's or shim's.
    pub is_program_s: bool,
    pub variable: Option<String>,
    pub destructor: Option<String>,
    pub created: Party,
    pub deleted: Party,
    /// Lives so far.
    pub lives: u32,
}

/// The keys that were ever created, by their number.
pub fn keys(recording: &Loaded, symbols: &mut Symboliser) -> Vec<Key> {
    let modules = Modules::of(recording);
    let all = recording.keys().map(|(index, words)| {
        let facts = Slot::read(&words);
        Key {
            index,
            state: state(facts.state),
            is_taken: facts.state.is_taken(),
            is_program_s: matches!(facts.state, State::Live | State::Unseen | State::Deleted),
            variable: modules.named(facts.now.variable, symbols, Symboliser::variable),
            destructor: modules.named(facts.destructor, symbols, function),
            created: facts.now.created,
            deleted: facts.now.deleted,
            lives: facts.generation,
        }
    });
    all.collect()
}

/// A key, in words.
pub struct Row {
    pub index: usize,
    pub state: &'static str,
    /// libc has given it to somebody.
    pub is_taken: bool,
    pub variable: String,
    pub created: String,
    pub destructor: String,
}

/// Writes the table of a recording, when any key was ever created; a file that is gone by now is left out.
pub fn table(path: &Path, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
    let Ok(recording) = recordings::load(path) else { return Ok(()) };
    let rows = rows(&recording, symbols);
    if rows.is_empty() {
        return Ok(());
    }
    let head = recording.head();
    writeln!(out, "\nkeys of {}: {} in use", who(program(&head), head.pid), in_use(&rows))?;
    write(&rows, out)
}

pub fn in_use(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.is_taken).count()
}

/// The keys that were ever created, in words.
pub fn rows(recording: &Loaded, symbols: &mut Symboliser) -> Vec<Row> {
    let mut sites = Sites::new(recording);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let all = keys(recording, symbols).into_iter().map(|key| Row {
        index: key.index,
        state: key.state,
        is_taken: key.is_taken,
        variable: or_dash(key.variable),
        created: or_dash(sites.stack(key.created.stack.0).first().map(|site| created(site, symbols))),
        destructor: or_dash(key.destructor),
    });
    all.collect()
}

/// The head of the table, and a line for each.
pub fn write(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  index  {:8} {:34} {:34} destructor", "state", "variable", "created by")?;
    for Row { index, state, variable, created, destructor, .. } in rows {
        writeln!(out, "  {index:>5}  {state:8} {variable:34} {created:34} {destructor}")?;
    }
    Ok(())
}

fn state(state: State) -> &'static str {
    match state {
        State::Live => "live",
        State::Deleted => "deleted",
        State::Unseen => "unseen",
        State::Libc => "libc",
        State::Decoy => "decoy",
        State::Own => "shim",
        State::Unknown | State::Changing => "?",
    }
}

fn function(symbols: &mut Symboliser, site: &Site) -> Option<String> {
    symbols.locate(site).last().and_then(|location| location.function.clone())
}

fn created(site: &Site, symbols: &mut Symboliser) -> String {
    let module = site.module.as_ref().map_or_else(String::new, |m| format!(" ({})", base(&m.path)));
    let known = symbols.locate(site).first().and_then(text::call_site);
    known.unwrap_or_else(|| format!("{:#x}{module}", site.offset))
}
