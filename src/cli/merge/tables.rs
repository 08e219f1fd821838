//! What findings have in common, each kept once: texts, modules, call sites, stacks.
//!
//! Why ids and not the things themselves: a thousand recordings of one program name the same few hundred stacks a million
//! times. An id is four bytes; what it stands for is made again ([`super::Site`]) only for the findings that are shown.
//!
//! Why the hash of a stack is of its modules' names and not of their ids: it can then be computed by each reader before
//! it asks for the lock.
//!
//! Rules: hashes are keyed anew in each run, because the file may come from somebody who would like them to collide.

use super::{ModuleId, Site};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

/// An id that stands for nothing: no module, no stack.
pub const NONE: u32 = u32::MAX;

/// A frame before its module has an id: the module's hash makes the stack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// An index into the modules of one recording, or [`NONE`].
    pub module: u32,
    pub offset: u64,
}

#[derive(Default)]
pub struct Tables {
    texts: Texts,
    modules: Vec<Arc<ModuleId>>,
    module_ids: HashMap<Arc<ModuleId>, u32>,
    sites: Sites,
    stacks: Stacks,
}

impl Tables {
    pub fn text(&mut self, text: &[u8]) -> u32 {
        self.texts.intern(text)
    }

    pub fn text_of(&self, id: u32) -> &[u8] {
        self.texts.known.get(id as usize).map_or(&[], |t| t)
    }

    pub fn module(&mut self, module: &Arc<ModuleId>) -> u32 {
        if let Some(id) = self.module_ids.get(module) {
            return *id;
        }
        let id = self.modules.len() as u32;
        self.modules.push(module.clone());
        self.module_ids.insert(module.clone(), id);
        id
    }

    pub fn modules(&self) -> impl Iterator<Item = &Arc<ModuleId>> {
        self.modules.iter()
    }

    pub fn module_of(&self, id: u32) -> Option<&Arc<ModuleId>> {
        self.modules.get(id as usize)
    }

    /// `ids` gives the id of each module of the recording; `hash` is what [`hash`] says of the frames.
    pub fn stack(&mut self, hash: u64, frames: &[RawFrame], ids: &[u32]) -> u32 {
        let Self { sites, stacks, .. } = self;
        let global = |f: &RawFrame| (ids.get(f.module as usize).copied().unwrap_or(NONE), f.offset);
        let same = |id: &u32| {
            let known = stacks.frames_of(*id);
            known.len() == frames.len()
                && known.iter().zip(frames).all(|(site, f)| sites.known[*site as usize] == global(f))
        };
        if let Some(id) = stacks.ids.find(hash, same) {
            return *id;
        }
        for frame in frames {
            let site = sites.intern(global(frame));
            stacks.frames.push(site);
        }
        stacks.add(hash)
    }

    /// Innermost first.
    pub fn frames(&self, stack: u32) -> impl Iterator<Item = (Option<&Arc<ModuleId>>, u64)> {
        self.stacks.frames_of(stack).iter().map(|site| {
            let (module, offset) = self.sites.known[*site as usize];
            (self.modules.get(module as usize), offset)
        })
    }

    /// The call sites of a stack by their numbers, innermost first.
    pub fn sites_of(&self, stack: u32) -> &[u32] {
        self.stacks.frames_of(stack)
    }

    /// A call site by its number.
    pub fn site(&self, site: u32) -> Site {
        let (module, offset) = self.sites.known.get(site as usize).copied().unwrap_or((NONE, 0));
        Site { module: self.modules.get(module as usize).cloned(), offset }
    }

    /// One more than the highest number of a call site.
    pub fn sites_len(&self) -> usize {
        self.sites.known.len()
    }

    pub fn is_empty_stack(&self, stack: u32) -> bool {
        self.stacks.frames_of(stack).is_empty()
    }
}

/// The hash of a stack, for [`Tables::stack`]; `modules` are the hashes of the modules.
pub fn hash(keys: &DefaultHashBuilder, frames: &[RawFrame], modules: &[u64]) -> u64 {
    let mut hasher = keys.build_hasher();
    for frame in frames {
        hasher.write_u64(modules.get(frame.module as usize).copied().unwrap_or(0));
        hasher.write_u64(frame.offset);
    }
    hasher.finish()
}

#[derive(Default)]
struct Texts {
    keys: DefaultHashBuilder,
    known: Vec<Box<[u8]>>,
    ids: HashTable<u32>,
}

impl Texts {
    fn intern(&mut self, text: &[u8]) -> u32 {
        let Self { keys, known, ids } = self;
        let hash = keys.hash_one(text);
        if let Some(id) = ids.find(hash, |id| *known[*id as usize] == *text) {
            return *id;
        }
        let id = known.len() as u32;
        known.push(text.into());
        ids.insert_unique(hash, id, |id| keys.hash_one(&*known[*id as usize]));
        id
    }
}

/// A module, or [`NONE`], and an offset.
#[derive(Default)]
struct Sites {
    keys: DefaultHashBuilder,
    known: Vec<(u32, u64)>,
    ids: HashTable<u32>,
}

impl Sites {
    fn intern(&mut self, site: (u32, u64)) -> u32 {
        let Self { keys, known, ids } = self;
        let hash = keys.hash_one(site);
        if let Some(id) = ids.find(hash, |id| known[*id as usize] == site) {
            return *id;
        }
        let id = known.len() as u32;
        known.push(site);
        ids.insert_unique(hash, id, |id| keys.hash_one(known[*id as usize]));
        id
    }
}

/// Runs of site ids in one array.
#[derive(Default)]
struct Stacks {
    frames: Vec<u32>,
    /// Where each stack ends in `frames`; it begins where the one before it ends.
    ends: Vec<u64>,
    hashes: Vec<u64>,
    ids: HashTable<u32>,
}

impl Stacks {
    fn frames_of(&self, id: u32) -> &[u32] {
        let id = id as usize;
        let Some(end) = self.ends.get(id) else { return &[] };
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.frames[start as usize..*end as usize]
    }

    /// The frames are there already.
    fn add(&mut self, hash: u64) -> u32 {
        let id = self.hashes.len() as u32;
        self.ends.push(self.frames.len() as u64);
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.ids.insert_unique(hash, id, |id| hashes[*id as usize]);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &[u8], build_id: &[u8]) -> Arc<ModuleId> {
        Arc::new(ModuleId { path: path.to_vec(), build_id: build_id.to_vec() })
    }

    #[test]
    fn equal_things_get_equal_ids_whatever_their_place() {
        let mut tables = Tables::default();
        let keys = DefaultHashBuilder::default();
        let app = tables.module(&module(b"/srv/app", &[1, 2]));
        assert_eq!(tables.module(&module(b"/elsewhere/app", &[1, 2])), app);
        let other = tables.module(&module(b"/srv/app", &[1, 3]));
        assert_ne!(other, app);
        let frame = |module, offset| RawFrame { module, offset };
        // The same stack with modules at other places of two recordings.
        let (a, b) = ([frame(0, 1), frame(1, 2), frame(NONE, 3)], [frame(1, 1), frame(0, 2), frame(NONE, 3)]);
        let first = tables.stack(hash(&keys, &a, &[7, 8]), &a, &[app, other]);
        let second = tables.stack(hash(&keys, &b, &[8, 7]), &b, &[other, app]);
        assert_eq!((first, tables.stacks.hashes.len()), (second, 1));
        // One that collides is another one all the same.
        let third = tables.stack(hash(&keys, &a, &[7, 8]), &a[..2], &[app, other]);
        assert_ne!(third, first);
        let frames: Vec<_> = tables.frames(first).map(|(m, offset)| (m.map(|m| m.build_id.clone()), offset)).collect();
        assert_eq!(frames, [(Some(vec![1, 2]), 1), (Some(vec![1, 3]), 2), (None, 3)]);
        assert!(tables.is_empty_stack(NONE) && !tables.is_empty_stack(third));
        assert_eq!((tables.text(b"io"), tables.text(b""), tables.text(b"io")), (0, 1, 0));
        assert_eq!((tables.text_of(0), tables.text_of(9)), (&b"io"[..], &b""[..]));
    }
}
