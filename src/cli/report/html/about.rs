//! What is known of the thing that a finding is about, as names and values, and the bytes of memory that it shows.

use crate::fd_kind;
use crate::merge::Merged;
use crate::report::{named, owner, written};
use crate::symbolise::Symboliser;
use crate::when::duration;
use record::findings::{Block, Key, Lock, Lost, Resource};
use record::heap::{class, family, place, sight};
use serde::Serialize;

/// Bytes of a block, or around it, that a finding shows. Offsets are from the block's start.
#[derive(Serialize)]
pub struct Memory {
    at: i64,
    /// In hexadecimal.
    bytes: String,
    /// Of the block.
    size: u64,
    /// Where the first wrong byte is.
    wrong: i64,
}

/// The descriptor number, and what is known of what is behind it.
pub fn about(found: &Merged, symbols: &mut Symboliser) -> (Option<i32>, Vec<(&'static str, String)>) {
    let (fd, mut about) = known(found);
    about.extend(found.things.iter().map(|thing| (thing.words, named(thing, symbols))));
    (fd, about)
}

fn known(found: &Merged) -> (Option<i32>, Vec<(&'static str, String)>) {
    let (fd, kind, owner_kind, object) = match found.finding.resource {
        Resource::Descriptor { fd, kind, owner_kind, owner, .. } => (fd, kind, owner_kind, owner),
        Resource::Leak(leak) => (leak.fd, leak.kind, 0, 0),
        Resource::Limit(limit) => {
            return (None, vec![("open", limit.open.to_string()), ("limit", limit.limit.to_string())]);
        }
        Resource::Block(block) => return (None, about_block(&block)),
        Resource::Lost(lost) => return (None, about_lost(&lost)),
        Resource::Key(key) => return (None, about_key(&key)),
        Resource::Lock(lock) => return (None, about_lock(&lock)),
        Resource::None => return (None, Vec::new()),
    };
    let label = &found.finding.label;
    let path = if label.is_path() { written(|line| label.write_name(line)) } else { None };
    let local = written(|line| {
        label.write_local(line);
    });
    let peer = written(|line| {
        label.write_peer(line);
    });
    let known = [
        ("type", Some(fd_kind::name(kind).to_owned()).filter(|name| name != "unknown")),
        ("local", local),
        ("peer", peer),
        ("path", path),
        ("owner", owner(owner_kind, object)),
    ];
    (Some(fd), known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

fn about_key(key: &Key) -> Vec<(&'static str, String)> {
    let mut about = vec![("key", key.index.to_string())];
    if key.value != 0 {
        about.push(("value", format!("{:#x}", key.value)));
    }
    if key.limit > 0 {
        about.push(("in use", format!("{} of {}", key.live, key.limit)));
    }
    about
}

fn about_lock(lock: &Lock) -> Vec<(&'static str, String)> {
    let mut about = vec![(record::lock::kind::name(lock.kind), format!("{:#x}", lock.address))];
    if let Some(name) = record::lock::error_name(lock.errno) {
        about.push(("error", name.to_owned()));
    }
    if lock.other != 0 {
        about.push((record::lock::kind::name(lock.other_kind), format!("{:#x}", lock.other)));
    }
    if lock.block != 0 {
        about.push(("block", format!("{:#x}, {}", lock.block, counted(lock.block_size, "byte", "bytes"))));
    }
    about
}

fn about_block(block: &Block) -> Vec<(&'static str, String)> {
    let name = if block.place == place::START || block.size > 0 { "block" } else { "pointer" };
    let mut about = vec![(name, format!("{:#x}", block.address))];
    if block.size > 0 {
        about.push(("size", counted(block.size, "byte", "bytes")));
    }
    if block.offset != 0 {
        about.push(("offset", format!("{:+}", block.offset)));
    }
    for (name, family) in [("allocated by", block.allocated), ("freed by", block.freed)] {
        if family != 0 {
            let call = if name == "freed by" { family::releaser(family) } else { family::allocator(family) };
            about.push((name, call.to_owned()));
        }
    }
    let seen = match block.sight {
        sight::CANARY => Some("in its redzone"),
        sight::QUARANTINE => Some("in the quarantine"),
        sight::GUARD => Some("by a guard page"),
        _ => None,
    };
    about.extend(seen.map(|seen| ("seen", seen.to_owned())));
    let earlier = &block.earlier;
    if earlier.lock != 0 {
        let error = record::errno::name(earlier.errno).unwrap_or("an error");
        let ignored = if earlier.ignored { ", ignored" } else { "" };
        about.push(("before", format!("{}: {error}{ignored}", record::lock::call::name(earlier.call))));
        about.push((record::lock::kind::name(earlier.kind), format!("{:#x}", earlier.lock)));
    }
    about
}

fn about_lost(lost: &Lost) -> Vec<(&'static str, String)> {
    let ago = |ms: u32| format!("{} old", duration(u64::from(ms) * 1_000_000));
    let mut about = vec![
        ("class", class::name(lost.class).to_owned()),
        ("blocks", lost.blocks.to_string()),
        ("bytes", lost.bytes.to_string()),
    ];
    if lost.indirect_blocks > 0 {
        let (blocks, bytes) =
            (counted(lost.indirect_blocks, "block", "blocks"), counted(lost.indirect_bytes, "byte", "bytes"));
        about.push(("only through them", format!("{blocks}, {bytes}")));
    }
    if lost.example != 0 {
        about.push(("one is at", format!("{:#x}", lost.example)));
    }
    if lost.oldest_ago > 0 {
        about.extend([("the oldest", ago(lost.oldest_ago)), ("the newest", ago(lost.newest_ago))]);
    }
    about
}

fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

pub fn memory(resource: &Resource) -> Option<Memory> {
    let Resource::Block(block) = resource else { return None };
    let shown = block.shown.get(..usize::from(block.shown_len)).unwrap_or(&block.shown);
    let bytes: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    (!bytes.is_empty()).then_some(Memory { at: block.shown_at, bytes, size: block.size, wrong: block.offset })
}
