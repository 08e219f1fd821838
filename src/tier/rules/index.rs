//! The rules by the innermost frame that they ask for, so that a stack meets only those that may want it.
//!
//! Rules without such a frame are asked always, in their order among the others: the first match wins, whichever it is.

use super::frames::View;
use super::rule::{Rule, Site, Sites};
use super::vocabulary::{BaseId, ModuleId, Vocabulary};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Line(BaseId, u32),
    Code(ModuleId, u64),
    Raw(ModuleId, u64),
}

#[derive(Debug, Default)]
pub struct Index {
    by_key: BTreeMap<Key, Vec<u16>>,
    /// Asked always.
    general: Vec<u16>,
    /// FlexMalloc's lines: a first frame with a file but no line stands for any of them.
    recorded: Vec<u16>,
    has_lines: bool,
    has_code: bool,
}

impl Index {
    pub fn new(rules: &[Rule], vocabulary: &Vocabulary) -> Self {
        let mut index = Self::default();
        for (number, rule) in (0..).zip(rules) {
            index.add(number, &rule.sites, vocabulary);
        }
        index
    }

    fn add(&mut self, number: u16, sites: &Sites, vocabulary: &Vocabulary) {
        let firsts: &[Site] = match sites {
            Sites::Anywhere => &[],
            Sites::From(sites) => sites.get(..1).unwrap_or_default(),
            Sites::WholeRaw { sites, may_lack } => sites.get(..=*may_lack).unwrap_or_default(),
            Sites::WholeLines(sites) => {
                self.recorded.push(number);
                sites.get(..1).unwrap_or_default()
            }
        };
        let is_recorded = matches!(sites, Sites::WholeLines(_));
        for first in firsts {
            let key = match first {
                Site::Line { file, line } => vocabulary.base_of(*file).map(|base| Key::Line(base, *line)),
                Site::Code { module, address } => Some(Key::Code(*module, *address)),
                Site::Raw { module, offset } => Some(Key::Raw(*module, *offset)),
                Site::Any => None,
            };
            match key {
                Some(Key::Line(..)) => self.has_lines |= !is_recorded,
                Some(_) => self.has_code = true,
                None => break,
            }
            if let Some(key) = key {
                self.by_key.entry(key).or_default().push(number);
            }
        }
        if firsts.is_empty() || firsts.contains(&Site::Any) {
            self.general.push(number);
        }
    }

    /// Numbers of the rules that may match, ascending.
    pub fn candidates(&self, view: &mut View<'_>) -> Vec<u16> {
        let mut found: Vec<u16> = Vec::new();
        let mut keys: Vec<Key> = Vec::new();
        if self.has_code {
            if let Some((modules, link, offset)) = view.code(0) {
                keys.extend(modules.iter().flat_map(|module| {
                    [Key::Code(*module, link), Key::Code(*module, link.wrapping_add(1)), Key::Raw(*module, offset)]
                }));
            }
        }
        if self.has_lines {
            keys.extend(view.line_key(0).map(|(base, line)| Key::Line(base, line)));
        }
        if !self.recorded.is_empty() {
            match view.first_with_line() {
                Some((_, 0)) => found.extend(&self.recorded),
                Some((at, _)) => keys.extend(view.line_key(at).map(|(base, line)| Key::Line(base, line))),
                None => {}
            }
        }
        found.extend(keys.iter().filter_map(|key| self.by_key.get(key)).flatten());
        if !found.is_empty() {
            found.extend(&self.general);
            found.sort_unstable();
            found.dedup();
            return found;
        }
        self.general.clone()
    }
}
