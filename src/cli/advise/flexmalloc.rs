//! The advice as FlexMalloc's two files: definitions of allocators, and the locations that use them.
//!
//! There a location is a whole stack, in addresses as they lie in the files of the modules; an offset of a recording is an address
//! without the bias of the load. The program headers of each module lead from one to the other.
//!
//! Why a stack may be missing: it has a frame in a module that is not there any more, or is another build; a location with a wrong
//! frame would match nothing.

use super::{Advice, Failure};
use crate::escape::bytes;
use crate::merge::{ModuleId, Site};
use crate::message::exit;
use object::{Object, ObjectSegment};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use tier::spec::{Kind, TierSpec};

/// The text of the definitions, that of the locations, and how many stacks are missing there.
pub fn write(advice: &Advice, tiers: Option<&[TierSpec]>) -> Result<(String, String, usize), Failure> {
    let mut definitions = String::new();
    let mut allocators = Vec::new();
    for one in &advice.plan.filled {
        let (name, config) = allocator(&one.room.name, one.room.capacity, tiers)?;
        if allocators.contains(&name) {
            let what = format!("--format flexmalloc: a second tier would be {name}, which can be defined once");
            return Err(Failure::new(exit::USAGE, what));
        }
        let _ = write!(definitions, "# Memory configuration for allocator {name}\n{config}\n");
        allocators.push(name);
    }
    let heap = advice.heap_bytes.div_ceil(1 << 20).max(1) * 4;
    let _ = write!(definitions, "# Memory configuration for allocator posix\nSize {heap} MBytes\n");
    let mut locations = format!("# {}: {}\n", super::rules::BEGIN.trim_start_matches("# "), advice.whom);
    let mut files = Files::default();
    let mut missing = 0;
    for one in &advice.stacks {
        let Some(frames) = one.frames.iter().map(|site| files.frame(site)).collect::<Option<Vec<_>>>() else {
            missing += 1;
            continue;
        };
        if let Some(allocator) = allocators.get(one.tier).filter(|_| !frames.is_empty()) {
            let _ = writeln!(locations, "# {}\n{} @ {allocator}", one.title, frames.join(" > "));
        }
    }
    Ok((definitions, locations, missing))
}

/// What FlexMalloc calls a tier, and its line of the definitions.
fn allocator(name: &str, capacity: u64, tiers: Option<&[TierSpec]>) -> Result<(&'static str, String), Failure> {
    let spec = tiers.and_then(|tiers| tiers.iter().find(|spec| spec.name == name));
    let room = format!("Size {} MBytes", capacity.div_ceil(1 << 20));
    match (spec.map(|spec| &spec.kind), name) {
        (Some(Kind::Numa { .. }), _) | (None, "hbw" | "memkind/hbwmalloc") => Ok(("memkind/hbwmalloc", room)),
        (Some(Kind::File { path }), _) if path.iter().all(|b| !b.is_ascii_whitespace() && *b != b'@') => {
            Ok(("memkind/pmem", format!("@ {}", bytes(path))))
        }
        _ => {
            let what = format!("--format flexmalloc: tier {} is none of FlexMalloc's", bytes(name.as_bytes()));
            let why = "it knows NUMA nodes (hbw) and directories; --tier-file says which of them a tier is";
            Err(Failure::new(exit::USAGE, format!("{what}: {why}")))
        }
    }
}

/// Of each its address, its size and its place in the file.
type Segments = Vec<(u64, u64, u64)>;

/// The segments of each module. Nothing where the file cannot be used.
#[derive(Default)]
struct Files {
    known: HashMap<Arc<ModuleId>, Option<Segments>>,
}

impl Files {
    /// `PATH!HEX` of what a call returns to.
    fn frame(&mut self, site: &Site) -> Option<String> {
        let module = site.module.as_ref()?;
        let path = std::str::from_utf8(&module.path).ok().filter(|path| {
            path.starts_with('/') && !path.contains(['>', '@', '!']) && !path.chars().any(char::is_control)
        })?;
        let segments = self.known.entry(module.clone()).or_insert_with(|| segments(module)).as_ref()?;
        let (address, _, place) =
            segments.iter().find(|(start, size, _)| (*start..start + size).contains(&site.offset))?;
        // Offsets here are those of calls.
        Some(format!("{path}!{:x}", site.offset - address + place + 1))
    }
}

fn segments(module: &ModuleId) -> Option<Segments> {
    let content = std::fs::read(Path::new(OsStr::from_bytes(&module.path))).ok()?;
    let file = object::File::parse(&content[..]).ok()?;
    let build_id = file.build_id().ok().flatten().unwrap_or_default();
    if build_id != &module.build_id[..] {
        return None;
    }
    Some(
        file.segments()
            .filter_map(|segment| {
                let (place, size) = segment.file_range();
                segment.address().checked_add(size).map(|_| (segment.address(), size, place))
            })
            .collect(),
    )
}
