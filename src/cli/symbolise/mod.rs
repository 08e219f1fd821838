//! From a module and an offset to function, file and line.
//!
//! Why here and not in the process: a symboliser allocates, reads files and takes time; the watched program pays for an
//! address and a build id only.
//!
//! A module is believed when its build id is the recorded one; otherwise it changed since, and module and offset are all
//! that is shown. Each module is read once, each address looked up once.

mod debug_files;
mod image;
mod names;

use crate::escape;
use crate::merge::{ModuleId, Site};
use image::Image;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// What is known of a call. Several for one call, innermost first, where the compiler inlined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    pub function: Option<String>,
    /// The function's name as it was linked.
    pub symbol: Option<String>,
    /// As the compiler was given it.
    pub file: Option<String>,
    pub line: Option<u32>,
    /// Where the file was when it was compiled.
    pub path: Option<PathBuf>,
}

pub struct Symboliser {
    debug_root: PathBuf,
    modules: HashMap<Arc<ModuleId>, Option<Image>>,
    known: HashMap<Site, Rc<[Location]>>,
    problems: Vec<String>,
}

impl Default for Symboliser {
    fn default() -> Self {
        Self::new("/usr/lib/debug")
    }
}

impl Symboliser {
    /// `debug_root` is where separate debug information is installed.
    pub fn new(debug_root: impl Into<PathBuf>) -> Self {
        Self { debug_root: debug_root.into(), modules: HashMap::new(), known: HashMap::new(), problems: Vec::new() }
    }

    /// The variable at an address: `plugin_key`, or `plugin_state+0x8`.
    pub fn variable(&mut self, site: &Site) -> Option<String> {
        let id = site.module.as_ref()?;
        let (name, distance) = self.image(id)?.variable(site.offset)?;
        Some(if distance == 0 { name } else { format!("{name}+{distance:#x}") })
    }

    fn image(&mut self, id: &Arc<ModuleId>) -> Option<&Image> {
        if !self.modules.contains_key(id) {
            let image = self.open(id);
            self.modules.insert(id.clone(), image);
        }
        self.modules.get(id)?.as_ref()
    }

    /// At least one location; an empty one where nothing is known.
    pub fn locate(&mut self, site: &Site) -> Rc<[Location]> {
        if let Some(known) = self.known.get(site) {
            return known.clone();
        }
        let mut locations = Vec::new();
        if let Some(image) = site.module.as_ref().and_then(|id| self.image(id)) {
            locations = image.locate(site.offset);
        }
        if locations.is_empty() {
            locations.push(Location::default());
        }
        let locations: Rc<[Location]> = locations.into();
        self.known.insert(site.clone(), locations.clone());
        locations
    }

    fn open(&mut self, id: &ModuleId) -> Option<Image> {
        // The vDSO and anonymous code have no file.
        if !id.path.starts_with(b"/") {
            return None;
        }
        match Image::open(id, &self.debug_root) {
            Ok(image) => Some(image),
            Err(why) => {
                self.problems.push(format!("{}: {why}: shown without functions and lines", escape::bytes(&id.path)));
                None
            }
        }
    }

    /// One line for each module that could not be used, once.
    pub fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }
}
