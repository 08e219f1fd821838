//! The thread-specific keys of the program that `shim top` watches: the table of `shim report --keys`, as it is now.
//!
//! Keys are created once and stay, and each has up to three names to look up: so rows are made anew only when the table has
//! changed, or the list of modules that names come from.

use crate::recordings::Loaded;
use crate::report::keys;
use crate::symbolise::Symboliser;
use std::rc::Rc;

pub use crate::report::keys::Row;

/// What the last look saw.
#[derive(Default)]
pub struct Watch {
    words: Vec<(usize, [u64; 8])>,
    /// Modules, and how many of them are unloaded.
    modules: (usize, usize),
    rows: Rc<[Row]>,
}

impl Watch {
    /// Empty when nobody has created a key.
    pub fn look(&mut self, recording: &Loaded, symbols: &mut Symboliser) -> Rc<[Row]> {
        let words: Vec<_> = recording.keys().collect();
        let modules = if words.is_empty() {
            (0, 0)
        } else {
            recording.modules().fold((0, 0), |(all, gone), (_, m)| (all + 1, gone + usize::from(m.unloaded != 0)))
        };
        if (&words, modules) != (&self.words, self.modules) {
            self.rows = keys::rows(recording, symbols).into();
            (self.words, self.modules) = (words, modules);
        }
        self.rows.clone()
    }
}

/// `keys: 3 in use`.
pub fn headline(rows: &[Row]) -> String {
    format!("keys: {} in use", keys::in_use(rows))
}
