//! Calls, stacks and source lines of a page, each once: findings and lifelines name them by their index.

use crate::escape::{bytes, shown};
use crate::merge::{ModuleId, Site};
use crate::report::text::before_start;
use crate::source::Sources;
use crate::symbolise::{Location, Symboliser};
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Source lines that are shown before and after the line of a call.
const AROUND: u32 = 3;
/// More is not source that a person would read.
const LONGEST_LINE: usize = 240;
/// Snippets of source in one page; further calls go without.
const SNIPPETS: usize = 20_000;

#[derive(Default, Serialize)]
pub struct Frames {
    modules: Vec<String>,
    frames: Vec<Frame>,
    /// Innermost first.
    stacks: Vec<Vec<usize>>,
    sources: Vec<Snippet>,
    #[serde(skip)]
    known: Known,
}

/// Function, file, line, module, offset, source.
#[derive(Serialize)]
struct Frame(Option<String>, Option<String>, Option<u32>, Option<usize>, String, Option<usize>);

/// The number of the first line, and the lines.
#[derive(Serialize)]
struct Snippet(u32, Vec<String>);

#[derive(Default)]
struct Known {
    modules: HashMap<Arc<ModuleId>, usize>,
    sites: HashMap<Site, Vec<usize>>,
    stacks: HashMap<Vec<usize>, usize>,
    snippets: HashMap<(PathBuf, u32), Option<usize>>,
    sources: Sources,
}

impl Frames {
    /// The index of a stack; frames that start a program or a thread are left out.
    pub fn stack(&mut self, sites: &[Site], symbols: &mut Symboliser) -> usize {
        let frames = self.frames(sites, symbols, true);
        if let Some(index) = self.known.stacks.get(&frames) {
            return *index;
        }
        self.stacks.push(frames.clone());
        self.known.stacks.insert(frames, self.stacks.len() - 1);
        self.stacks.len() - 1
    }

    /// The frames of a stack that is kept elsewhere, without source: there may be many.
    pub fn calls(&mut self, sites: &[Site], symbols: &mut Symboliser) -> Vec<usize> {
        self.frames(sites, symbols, false)
    }

    fn frames(&mut self, sites: &[Site], symbols: &mut Symboliser, with_source: bool) -> Vec<usize> {
        let mut frames = Vec::new();
        if !sites.is_empty() {
            for site in &sites[..before_start(sites, symbols).min(sites.len())] {
                frames.extend_from_slice(self.site(site, symbols, with_source));
            }
        }
        frames
    }

    /// Several where the compiler inlined.
    fn site(&mut self, site: &Site, symbols: &mut Symboliser, with_source: bool) -> &[usize] {
        if !self.known.sites.contains_key(site) {
            let module = site.module.as_ref().map(|module| self.module(module));
            let mut frames = Vec::new();
            for location in symbols.locate(site).iter() {
                let source = if with_source { self.source(location) } else { None };
                let function = location.function.as_ref().map(shown);
                let file = location.file.as_ref().map(shown);
                let offset = format!("{:#x}", site.offset);
                self.frames.push(Frame(function, file, location.line, module, offset, source));
                frames.push(self.frames.len() - 1);
            }
            self.known.sites.insert(site.clone(), frames);
        }
        self.known.sites.get(site).map_or(&[], |frames| frames)
    }

    fn module(&mut self, module: &Arc<ModuleId>) -> usize {
        *self.known.modules.entry(module.clone()).or_insert_with(|| {
            self.modules.push(bytes(&module.path));
            self.modules.len() - 1
        })
    }

    fn source(&mut self, location: &Location) -> Option<usize> {
        let Self { sources: snippets, known, .. } = self;
        let (path, line) = (location.path.as_ref()?, location.line?);
        *known.snippets.entry((path.clone(), line)).or_insert_with(|| {
            if snippets.len() >= SNIPPETS {
                return None;
            }
            let (first, lines) = known.sources.context(path, line, AROUND)?;
            let lines = lines.iter().map(|text| bytes(&text[..text.len().min(LONGEST_LINE)])).collect();
            snippets.push(Snippet(first, lines));
            Some(snippets.len() - 1)
        })
    }
}
