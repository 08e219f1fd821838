//! The table of thread-specific keys of a process: whose they are, who has created them.
//!
//! ```text
//! keys of app (pid 12): 3 in use
//!   index  state    variable                created by              destructor
//!       0  live     plugin_key (plugin.so)  plugin_begin  p.c:12    free (libc.so.6)
//! ```
//!
//! Why a look of its own: the table is what the process had at its end, not a finding.

use crate::escape::{bytes, shown};
use crate::merge::{ModuleId, Site, Sites, program};
use crate::recordings::{self, Loaded};
use crate::report::text;
use crate::symbolise::Symboliser;
use record::reader::Module;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
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

/// The keys that were ever created.
pub fn keys(recording: &Loaded, symbols: &mut Symboliser) -> Vec<Key> {
    let mut modules: Option<Vec<Module>> = None;
    let all = recording.keys().map(|(index, words)| {
        let facts = Slot::read(&words);
        let modules = modules.get_or_insert_with(|| recording.modules().map(|(_, module)| module).collect());
        Key {
            index,
            state: state(facts.state),
            is_taken: facts.state.is_taken(),
            is_program_s: matches!(facts.state, State::Live | State::Unseen | State::Deleted),
            variable: place(recording, modules, facts.now.variable, symbols, Symboliser::variable),
            destructor: place(recording, modules, facts.destructor, symbols, function),
            created: facts.now.created,
            deleted: facts.now.deleted,
            lives: facts.generation,
        }
    });
    all.collect()
}

/// Writes the table of a recording, when any key was ever created; a file that is gone by now is left out.
pub fn table(path: &Path, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
    let Ok(recording) = recordings::load(path) else { return Ok(()) };
    let keys = keys(&recording, symbols);
    if keys.is_empty() {
        return Ok(());
    }
    let head = recording.head();
    let mut sites = Sites::new(&recording);
    let live = keys.iter().filter(|key| key.is_taken).count();
    writeln!(out, "\nkeys of {} (pid {}): {live} in use", bytes(program(&head)), head.pid)?;
    writeln!(out, "  index  {:8} {:34} {:34} destructor", "state", "variable", "created by")?;
    for key in &keys {
        let created = sites.stack(key.created.stack.0).first().map(|site| created(site, symbols));
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        writeln!(
            out,
            "  {:>5}  {:8} {:34} {:34} {}",
            key.index,
            key.state,
            or_dash(key.variable.as_deref()),
            or_dash(created.as_deref()),
            or_dash(key.destructor.as_deref())
        )?;
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

/// `plugin_key (plugin.so)`; an address that is in no module as it is.
fn place(
    recording: &Loaded,
    modules: &[Module],
    address: u64,
    symbols: &mut Symboliser,
    name: fn(&mut Symboliser, &Site) -> Option<String>,
) -> Option<String> {
    if address == 0 {
        return None;
    }
    let holds = |m: &&Module| (m.start..m.end).contains(&address);
    // Of two that lay there one after the other, the one that is loaded.
    let found = modules.iter().filter(holds).max_by_key(|m| (m.unloaded == 0, m.loaded));
    let Some(module) = found else {
        let bits = recording.head().pointer_bits as usize / 4;
        return Some(format!("{address:#0width$x}", width = bits.min(16) + 2));
    };
    let id = Arc::new(ModuleId { path: module.path.clone(), build_id: module.build_id.clone() });
    let site = Site { module: Some(id), offset: address.wrapping_sub(module.bias) };
    let called = name(symbols, &site).map_or_else(|| format!("{:#x}", site.offset), shown);
    Some(format!("{called} ({})", base(&module.path)))
}

fn base(path: &[u8]) -> String {
    bytes(path.rsplit(|b| *b == b'/').next().unwrap_or_default())
}
