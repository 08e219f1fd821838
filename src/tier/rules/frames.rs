//! What is known of the frames of a stack, found out when a rule asks and no earlier.
//!
//! What an address is does not change while its module is loaded, so it is kept: the module and the place in it, which
//! function patterns match, and the line. What was not known (code that no module holds, a module that is just being
//! loaded) is not kept, and makes the decision pending.
//!
//! A [`View`] also notes how deep a decision looked; that is how far a cache must compare.
//!
//! Rules: asks `Names` once for an address and a question; allocates only for what it keeps.

use super::rule::Site;
use super::vocabulary::{BaseId, FileId, FunctionId, ModuleId, Vocabulary};
use super::{DEEPEST, Names, Recorded};
use crate::names::demangle;
use std::collections::BTreeMap;

/// More addresses than this, and all are forgotten.
const MOST: usize = 1 << 16;

#[derive(Debug, Default)]
pub struct Knowledge {
    /// By the return address: an index.
    by_address: BTreeMap<u64, u32>,
    known: Vec<Known>,
    modules: Vec<ModuleFacts>,
    /// By path, a zero byte, and build id.
    by_path: BTreeMap<Vec<u8>, u32>,
}

#[derive(Debug)]
struct ModuleFacts {
    patterns: Box<[ModuleId]>,
    /// FlexMalloc finds no lines there.
    without_lines: bool,
}

#[derive(Debug)]
struct Known {
    module: u32,
    /// Of the byte before the return address: the call.
    link: u64,
    offset: u64,
    /// A bit for each pattern of functions.
    functions: Option<Box<[u64]>>,
    line: Option<Line>,
}

#[derive(Debug)]
enum Line {
    Unknown,
    /// `file` is what rules say of it, if they do.
    At {
        file: Option<(BaseId, Box<[FileId]>)>,
        line: u32,
    },
}

impl Knowledge {
    /// Addresses may mean something else now.
    pub fn forget(&mut self) {
        self.by_address.clear();
        self.known.clear();
    }

    fn find(&mut self, vocabulary: &Vocabulary, names: &mut dyn Names, address: u64) -> Option<u32> {
        if let Some(index) = self.by_address.get(&address) {
            return Some(*index);
        }
        let module = names.module(address.wrapping_sub(1))?;
        let (link, offset) = (module.link_address, module.file_offset);
        let key = [module.path, module.build_id].join(&0);
        let number = match self.by_path.get(&key) {
            Some(number) => *number,
            None => {
                let (path, build_id) = (module.path.to_vec(), module.build_id.to_vec());
                let real = names.real_path(&path);
                let paths = [&path[..], real.as_deref().unwrap_or(&path)];
                let patterns = vocabulary.of_module(paths, &build_id);
                let without_lines = super::flexmalloc::without_lines(&path);
                let number = self.modules.len() as u32;
                self.modules.push(ModuleFacts { patterns, without_lines });
                self.by_path.insert(key, number);
                number
            }
        };
        let index = self.known.len() as u32;
        self.known.push(Known { module: number, link, offset, functions: None, line: None });
        self.by_address.insert(address, index);
        Some(index)
    }
}

/// One stack, as one decision sees it.
pub struct View<'a> {
    pub vocabulary: &'a Vocabulary,
    pub knowledge: &'a mut Knowledge,
    pub names: &'a mut dyn Names,
    /// Return addresses, innermost first, as many as any rule may look at.
    pub frames: &'a [u64],
    /// How many that is.
    pub deepest: usize,
    pub recorded: Option<Recorded>,
    /// How many frames were looked at; one more than there are, when it mattered that there are no more.
    pub depth: usize,
    /// Something was not known that might be, later.
    pub pending: bool,
    /// Indexes of the frames that were looked at.
    found: [Option<u32>; DEEPEST],
    /// FlexMalloc's part of the stack: where it begins, and how many frames it has.
    part: Option<(usize, usize)>,
}

impl<'a> View<'a> {
    pub fn new(
        vocabulary: &'a Vocabulary,
        knowledge: &'a mut Knowledge,
        names: &'a mut dyn Names,
        frames: &'a [u64],
        deepest: usize,
        recorded: Option<Recorded>,
    ) -> Self {
        if knowledge.known.len() > MOST {
            knowledge.forget();
        }
        let deepest = deepest.min(DEEPEST);
        let frames = &frames[..frames.len().min(deepest)];
        let (found, part) = ([None; DEEPEST], None);
        Self { vocabulary, knowledge, names, frames, deepest, recorded, depth: 0, pending: false, found, part }
    }

    pub fn deepest(&self) -> usize {
        self.deepest
    }

    /// Is there such a frame?
    pub fn has(&mut self, at: usize) -> bool {
        self.depth = self.depth.max((at + 1).min(self.deepest));
        at < self.frames.len()
    }

    fn known(&mut self, at: usize) -> Option<&mut Known> {
        if !self.has(at) {
            return None;
        }
        let index = match self.found[at] {
            Some(index) => index,
            None => {
                let Some(index) = self.knowledge.find(self.vocabulary, self.names, self.frames[at]) else {
                    self.pending = true;
                    return None;
                };
                self.found[at] = Some(index);
                index
            }
        };
        self.knowledge.known.get_mut(index as usize)
    }

    pub fn is_in(&mut self, at: usize, module: ModuleId) -> bool {
        let Some(number) = self.known(at).map(|known| known.module) else { return false };
        self.patterns(number).binary_search(&module).is_ok()
    }

    fn patterns(&self, number: u32) -> &[ModuleId] {
        self.knowledge.modules.get(number as usize).map(|facts| &facts.patterns[..]).unwrap_or_default()
    }

    pub fn is_function(&mut self, at: usize, function: FunctionId) -> bool {
        let Some(known) = self.known(at) else { return false };
        if known.functions.is_none() {
            let address = self.frames[at].wrapping_sub(1);
            let bits = matching(self.vocabulary, self.names.function(address).as_deref());
            if let Some(known) = self.known(at) {
                known.functions = Some(bits);
            }
        }
        let bits = self.known(at).and_then(|known| known.functions.as_deref()).unwrap_or_default();
        bits.get(function.0 as usize / 64).is_some_and(|word| word >> (function.0 % 64) & 1 == 1)
    }

    pub fn is_within(&mut self, function: FunctionId) -> bool {
        (0..self.deepest).take_while(|at| *at <= self.frames.len()).any(|at| self.is_function(at, function))
    }

    pub fn is_site(&mut self, at: usize, site: Site) -> bool {
        match site {
            Site::Any => self.has(at),
            Site::Line { file, line } => {
                matches!(self.line(at), Some(Line::At { file: Some((_, files)), line: found })
                    if *found == line && files.binary_search(&file).is_ok())
            }
            Site::Code { module, address } => {
                let fits =
                    self.known(at).is_some_and(|known| known.link == address || known.link.wrapping_add(1) == address);
                fits && self.is_in(at, module)
            }
            Site::Raw { module, offset } => {
                let behind = self.behind();
                let fits = self.known(at).is_some_and(|known| known.offset.wrapping_add(behind) == offset);
                fits && self.is_in(at, module)
            }
        }
    }

    /// How far what is compared lies behind the call.
    fn behind(&self) -> u64 {
        u64::from(self.recorded.is_some_and(|recorded| !recorded.minus_1))
    }

    fn line(&mut self, at: usize) -> Option<&Line> {
        let known = self.known(at)?;
        if known.line.is_none() {
            let number = known.module;
            let address = self.frames[at].wrapping_sub(1).wrapping_add(self.behind());
            let hidden = self.recorded.is_some()
                && self.knowledge.modules.get(number as usize).is_some_and(|facts| facts.without_lines);
            let found = if hidden { None } else { self.names.line(address) };
            let line = found.map_or(Line::Unknown, |(path, line)| Line::At {
                file: self.vocabulary.of_file(path.as_bytes()),
                line,
            });
            if let Some(known) = self.known(at) {
                known.line = Some(line);
            }
        }
        self.known(at).and_then(|known| known.line.as_ref())
    }

    /// What an index goes by: module patterns, link address and offset; or the line.
    pub fn code(&mut self, at: usize) -> Option<(&[ModuleId], u64, u64)> {
        let behind = self.behind();
        let (number, link, offset) = self.known(at).map(|known| (known.module, known.link, known.offset))?;
        Some((self.patterns(number), link, offset.wrapping_add(behind)))
    }

    pub fn line_key(&mut self, at: usize) -> Option<(BaseId, u32)> {
        match self.line(at)? {
            Line::At { file, line } => file.as_ref().map(|(base, _)| (*base, *line)),
            Line::Unknown => None,
        }
    }

    /// The line of a frame: none, or zero for a file without one.
    fn number(&mut self, at: usize) -> Option<u32> {
        match self.line(at)? {
            Line::At { line, .. } => Some(*line),
            Line::Unknown => None,
        }
    }

    /// The first frame that has a line.
    pub fn first_with_line(&mut self) -> Option<(usize, u32)> {
        (0..self.deepest).take_while(|at| *at <= self.frames.len()).find_map(|at| Some((at, self.number(at)?)))
    }

    /// FlexMalloc's lines: frames without a line are cut off at both ends, and stand for any in between.
    pub fn are_lines(&mut self, sites: &[Site]) -> bool {
        let Some((first, count)) = self.part() else { return false };
        count == sites.len()
            && sites.iter().enumerate().all(|(at, site)| {
                *site == Site::Any || self.number(first + at).unwrap_or(0) == 0 || self.is_site(first + at, *site)
            })
    }

    fn part(&mut self) -> Option<(usize, usize)> {
        if self.part.is_none() {
            let (first, _) = self.first_with_line()?;
            let main = self.recorded.and_then(|recorded| recorded.main);
            let mut last = first;
            for at in first..self.deepest {
                if !self.has(at) {
                    break;
                }
                if self.number(at).is_some() {
                    last = at;
                    if main.is_some_and(|mains| mains.iter().any(|main| self.is_function(at, *main))) {
                        break;
                    }
                }
            }
            self.part = Some((first, last - first + 1));
        }
        self.part
    }
}

/// A bit for each pattern that a function matches, as linked or as its language writes it.
fn matching(vocabulary: &Vocabulary, linked: Option<&str>) -> Box<[u64]> {
    let mut bits = vec![0; vocabulary.functions().len().div_ceil(64)];
    if let Some(linked) = linked {
        let written = demangle::without_parameters(linked);
        for (at, glob) in vocabulary.functions().iter().enumerate() {
            let matches =
                glob.matches(linked.as_bytes()) || written.as_ref().is_some_and(|w| glob.matches(w.as_bytes()));
            bits[at / 64] |= u64::from(matches) << (at % 64);
        }
    }
    bits.into()
}
