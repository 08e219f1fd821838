//! The loaded objects, as the unwinder registered them.
//!
//! An object that is unloaded and loaded again at the same place keeps its entry, so that frames stay equal.

use crate::layout::{Counter, Module, Section};
use crate::store::{Store, count, entry, entry_or_commit};
use crate::{strings, text};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// What is known of an object.
#[derive(Clone, Copy)]
pub struct Loaded<'a> {
    pub path: &'a [u8],
    pub build_id: &'a [u8],
    pub bias: u64,
    pub start: u64,
    pub end: u64,
    pub flags: u64,
}

/// Registers an object; its index. Callers are serialised by `shim`'s module lock.
pub fn register(store: &impl Store, object: &Loaded, now: u64) -> Option<usize> {
    let known = store.header().modules.load(Acquire) as usize;
    let mut id = [0u8; 32];
    let id_len = object.build_id.len().min(id.len());
    id[..id_len].copy_from_slice(&object.build_id[..id_len]);
    for index in 0..known {
        let Some(module) = entry::<Module>(store, index) else { continue };
        let mut theirs = [0u8; 32];
        text::load(&module.build_id, &mut theirs);
        if module.bias.load(Relaxed) == object.bias
            && module.start.load(Relaxed) == object.start
            && module.end.load(Relaxed) == object.end
            && theirs == id
            && (id_len > 0 || path_equals(store, module, object.path))
        {
            module.unloaded.store(0, Release);
            return Some(index);
        }
    }
    let Some(module) = (known < Section::Modules.capacity()).then(|| entry_or_commit::<Module>(store, known)).flatten()
    else {
        count(store, Counter::ModulesDropped);
        return None;
    };
    module.path.store(strings::intern(store, object.path).0, Relaxed);
    text::store(&module.build_id, &id);
    module.build_id_len.store(id_len as u32, Relaxed);
    module.bias.store(object.bias, Relaxed);
    module.start.store(object.start, Relaxed);
    module.end.store(object.end, Relaxed);
    module.flags.store(object.flags, Relaxed);
    module.loaded.store(now, Relaxed);
    module.state.store(1, Release);
    store.header().modules.store(known as u32 + 1, Release);
    Some(known)
}

fn path_equals(store: &impl Store, module: &Module, path: &[u8]) -> bool {
    let text = strings::Text(module.path.load(Relaxed));
    text.len() == path.len()
        && crate::store::words::<core::sync::atomic::AtomicU8>(store, Section::Strings, text.offset(), text.len())
            .is_some_and(|bytes| bytes.iter().zip(path).all(|(a, b)| a.load(Relaxed) == *b))
}

/// Copies the path of a module out; its length.
pub fn path(store: &impl Store, index: usize, out: &mut [u8]) -> usize {
    let Some(module) = entry::<Module>(store, index) else { return 0 };
    strings::read(store, strings::Text(module.path.load(Relaxed)), out)
}

/// The load bias of a module.
pub fn bias(store: &impl Store, index: usize) -> Option<u64> {
    entry::<Module>(store, index).map(|module| module.bias.load(Relaxed))
}

/// The object is gone.
pub fn unloaded(store: &impl Store, index: usize, now: u64) {
    if let Some(module) = entry::<Module>(store, index) {
        module.unloaded.store(now.max(1), Release);
    }
}
