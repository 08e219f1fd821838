//! What lies at an address of a process: by the modules that it had loaded, the variable or the function there.
//!
//! For addresses that the recording has as such: variables and destructors of keys, locks that a thread waits for. Frames of
//! stacks know their module themselves ([`crate::merge::Sites`]).

use crate::escape::{bytes, shown};
use crate::merge::{ModuleId, Site};
use crate::recordings::Loaded;
use crate::symbolise::Symboliser;
use record::reader::Module;
use std::sync::Arc;

/// The modules of one process.
pub struct Modules {
    modules: Vec<Module>,
    /// Hexadecimal digits of an address.
    digits: usize,
}

impl Modules {
    pub fn of(recording: &Loaded) -> Self {
        let digits = (recording.head().pointer_bits as usize / 4).min(16);
        Self { modules: recording.modules().map(|(_, module)| module).collect(), digits }
    }

    /// Where in a module the address lies; nothing: in none.
    pub fn site(&self, address: u64) -> Option<Site> {
        let holds = |m: &&Module| (m.start..m.end).contains(&address);
        // Of two that lay there one after the other, the one that is loaded.
        let module = self.modules.iter().filter(holds).max_by_key(|m| (m.unloaded == 0, m.loaded))?;
        let id = Arc::new(ModuleId { path: module.path.clone(), build_id: module.build_id.clone() });
        Some(Site { module: Some(id), offset: address.wrapping_sub(module.bias) })
    }

    /// `plugin_key (plugin.so)`; an address that is in no module as it is; nothing for 0.
    pub fn named(
        &self,
        address: u64,
        symbols: &mut Symboliser,
        name: fn(&mut Symboliser, &Site) -> Option<String>,
    ) -> Option<String> {
        if address == 0 {
            return None;
        }
        let Some(site) = self.site(address) else {
            return Some(format!("{address:#0width$x}", width = self.digits + 2));
        };
        let called = name(symbols, &site).map_or_else(|| format!("{:#x}", site.offset), shown);
        let path = site.module.as_ref().map_or(&b""[..], |module| &module.path);
        Some(format!("{called} ({})", base(path)))
    }
}

/// The name of a file without its folder.
pub fn base(path: &[u8]) -> String {
    bytes(path.rsplit(|b| *b == b'/').next().unwrap_or_default())
}
