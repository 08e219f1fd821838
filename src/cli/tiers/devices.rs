//! Memory that is reached through a file: DAX devices, and file systems whose pages are memory.

use super::space;
use super::system::{System, unescaped};
use std::path::PathBuf;

const DAX: &str = "sys/bus/dax/devices";

/// What is behind a DAX device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    Cxl,
    Pmem,
    /// The firmware set it aside for a special purpose, and did not say which.
    Reserved,
}

impl Bus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Cxl => "CXL",
            Self::Pmem => "PMEM",
            Self::Reserved => "reserved",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Dax {
    /// `dax0.0`.
    pub name: String,
    pub size: Option<u64>,
    pub align: Option<u64>,
    /// The node that its memory is, or would be.
    pub node: Option<u32>,
    /// `device_dax`: a program may map it; `kmem`: it has become a node.
    pub driver: Option<String>,
    pub bus: Option<Bus>,
    /// Is there a /dev of it?
    pub has_file: bool,
}

impl Dax {
    pub fn path(&self) -> String {
        format!("/dev/{}", self.name)
    }
}

pub fn dax(system: &System) -> Vec<Dax> {
    let all = system.names(DAX).into_iter().filter(|name| name.starts_with("dax")).map(|name| {
        let number = |what: &str| system.number(&format!("{DAX}/{name}/{what}"));
        Dax {
            size: number("size"),
            align: number("align"),
            // -1: not known.
            node: number("target_node").and_then(|node| u32::try_from(node).ok()),
            driver: system.linked_name(&format!("{DAX}/{name}/driver")),
            bus: bus(system, &name),
            has_file: system.exists(&format!("dev/{name}")),
            name,
        }
    });
    all.collect()
}

/// The devices that it hangs below say what it is.
fn bus(system: &System, name: &str) -> Option<Bus> {
    let path = system.link(&format!("{DAX}/{name}"))?;
    path.iter().filter_map(|part| part.to_str()).find_map(|part| {
        if part.starts_with("dax_region") {
            Some(Bus::Cxl)
        } else if part.starts_with("ndbus") {
            Some(Bus::Pmem)
        } else if part.starts_with("hmem") {
            Some(Bus::Reserved)
        } else {
            None
        }
    })
}

/// A file system whose pages are memory.
#[derive(Clone, Debug)]
pub struct Mount {
    pub at: PathBuf,
    /// `ext4`, `tmpfs`.
    pub kind: String,
    pub source: String,
    /// The option of mount that it has: `dax`, `dax=always`, `dax=inode`.
    pub dax: Option<String>,
    pub total: Option<u64>,
    pub free: Option<u64>,
}

impl Mount {
    pub fn is_persistent(&self) -> bool {
        self.source.starts_with("/dev/pmem")
    }

    /// Are its files mapped without a page cache?
    pub fn is_direct(&self) -> bool {
        self.dax.as_deref().is_some_and(|dax| dax != "dax=never")
    }
}

/// Those with DAX or on persistent memory, and those in memory to which a program may write.
pub fn mounts(system: &System) -> Vec<Mount> {
    let table = system.bytes("proc/self/mounts").or_else(|| system.bytes("proc/mounts")).unwrap_or_default();
    let mut found: Vec<Mount> = Vec::new();
    for line in table.split(|b| *b == b'\n') {
        let fields: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
        let [source, at, kind, options, ..] = fields[..] else { continue };
        let [source, kind, options] = [source, kind, options].map(|field| String::from_utf8_lossy(field).into_owned());
        let at = unescaped(at);
        // The last one lies over those before it.
        found.retain(|mount| mount.at != at);
        let dax = options.split(',').find(|option| *option == "dax" || option.starts_with("dax=")).map(str::to_owned);
        let mut mount = Mount { at, kind, source, dax, total: None, free: None };
        let writable = options.split(',').any(|option| option == "rw");
        let in_memory = mount.kind == "tmpfs" && !["/sys", "/proc", "/run"].iter().any(|top| mount.at.starts_with(top));
        if writable && (mount.is_direct() || mount.is_persistent() || in_memory) {
            (mount.total, mount.free) = space::of(&system.at(&mount.at)).unzip();
            found.push(mount);
        }
    }
    found
}
