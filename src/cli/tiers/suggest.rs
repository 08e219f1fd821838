//! The `[[tier]]` lines that name what was found, ready to copy.
//!
//! Why no capacity in them: a tier without one has what its device has; what there is stands in the comment.

use super::Machine;
use super::nodes::{Kind, Node};
use crate::escape::bytes;
use crate::ranges;
use crate::size;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A tier that a rule file may have.
pub struct Suggestion {
    pub name: String,
    /// What it is, in words.
    pub about: String,
    /// Keys and values as TOML writes them.
    pub keys: Vec<(&'static str, String)>,
}

impl Suggestion {
    fn new(name: String, about: String, kind: &str) -> Self {
        let keys = vec![("name", quoted(&name)), ("kind", quoted(kind))];
        Self { name, about, keys }
    }

    fn with(mut self, key: &'static str, value: &str) -> Self {
        self.keys.push((key, quoted(value)));
        self
    }

    /// The lines, with what it is as a comment.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("[[tier]]                      # {}", self.about)];
        lines.extend(self.keys.iter().map(|(key, value)| format!("{key} = {value}")));
        lines
    }
}

pub fn all(machine: &Machine) -> Vec<Suggestion> {
    let mut all = nodes(machine);
    for pool in machine.pools.iter().filter(|pool| pool.is_usable()) {
        let Some(page) = pool.size() else { continue };
        let free = pool.free.map_or_else(|| "-".to_owned(), size::count);
        let about = format!("pages of {page} from the pool, {free} free");
        all.push(Suggestion::new(format!("huge{page}"), about, "hugepages").with("huge", page));
    }
    if machine.transparent.is_usable() {
        let about = "ordinary memory, in transparent huge pages where the kernel can".to_owned();
        all.push(Suggestion::new("thp".to_owned(), about, "hugepages").with("huge", "thp"));
    }
    for dax in machine.dax.iter().filter(|dax| dax.driver.as_deref() == Some("device_dax") && dax.has_file) {
        let what = dax.bus.map_or("a DAX device", |bus| match bus {
            super::devices::Bus::Cxl => "CXL memory, as a DAX device",
            super::devices::Bus::Pmem => "persistent memory, as a DAX device",
            super::devices::Bus::Reserved => "memory for a special purpose, as a DAX device",
        });
        let about = format!("{what}{}", dax.size.map_or_else(String::new, |bytes| format!(", {}", size::bytes(bytes))));
        all.push(Suggestion::new(dax.name.replace('.', "_"), about, "file").with("path", &dax.path()));
    }
    for mount in &machine.mounts {
        // A rule file is text.
        let Some(path) = mount.at.to_str() else { continue };
        let what = match (mount.is_persistent(), mount.is_direct()) {
            (true, true) => "persistent memory, mapped directly",
            (true, false) => "persistent memory, through the page cache",
            (false, true) => "mapped directly",
            (false, false) => "a file system in memory",
        };
        let free = mount.free.map_or_else(String::new, |bytes| format!(", {} free", size::bytes(bytes)));
        let about = format!("{what} ({}){free}", bytes(mount.kind.as_bytes()));
        all.push(Suggestion::new(named(&mount.at), about, "file").with("path", path));
    }
    if machine.memfd == Some(true) {
        let about = "shared memory without a name".to_owned();
        all.push(Suggestion::new("memfd".to_owned(), about, "memfd"));
    }
    unique(&mut all);
    all
}

/// Each node with memory that we may have, and all nodes of a kind together.
fn nodes(machine: &Machine) -> Vec<Suggestion> {
    let usable: Vec<&Node> = machine.nodes.iter().filter(|n| n.has_memory() && n.allowed != Some(false)).collect();
    let mut all: Vec<Suggestion> = usable
        .iter()
        .map(|node| {
            let name = node.kind.map_or_else(|| "node".to_owned(), |(kind, _)| kind.name().to_lowercase());
            let about = format!("{}{}", label(node), amount(&[node]));
            let numa = Suggestion::new(format!("{name}{}", node.id), about, "numa");
            numa.with("nodes", &node.id.to_string()).with("policy", "bind")
        })
        .collect();
    let policy = if machine.weights { "weighted-interleave" } else { "interleave" };
    for kind in [Kind::Dram, Kind::Hbm, Kind::Cxl, Kind::Pmem] {
        let same: Vec<&Node> = usable.iter().copied().filter(|n| n.kind.is_some_and(|(of, _)| of == kind)).collect();
        if same.len() > 1 {
            let ids: Vec<u32> = same.iter().map(|node| node.id).collect();
            let about = format!("{} of {} nodes{}", kind.name(), same.len(), amount(&same));
            let numa = Suggestion::new(kind.name().to_lowercase(), about, "numa");
            all.push(numa.with("nodes", &ranges::plain(&ids)).with("policy", policy));
        }
    }
    if usable.len() > 1 {
        let ids: Vec<u32> = usable.iter().map(|node| node.id).collect();
        let about = format!("all {} nodes in turn{}", usable.len(), amount(&usable));
        all.push(
            Suggestion::new("all".to_owned(), about, "numa").with("nodes", &ranges::plain(&ids)).with("policy", policy),
        );
    }
    all
}

fn label(node: &Node) -> String {
    let kind = node.kind.map_or("memory", |(kind, _)| kind.name());
    let cpus = match node.cpus.as_deref() {
        Some("") => ", without CPUs",
        _ => "",
    };
    format!("{kind} of node {}{cpus}", node.id)
}

fn amount(nodes: &[&Node]) -> String {
    let sum = |of: fn(&Node) -> Option<u64>| {
        nodes.iter().try_fold(0u64, |sum, node| Some(sum.saturating_add(of(node)?))).map(size::bytes)
    };
    match (sum(|node| node.total), sum(|node| node.free)) {
        (Some(total), Some(free)) => format!(", {total}, {free} free"),
        (Some(total), None) => format!(", {total}"),
        _ => String::new(),
    }
}

/// A name for a tier, of the last part of a path.
fn named(path: &Path) -> String {
    let last = path.file_name().map_or(&b"root"[..], |name| name.as_bytes());
    let safe =
        last.iter().map(|b| if b.is_ascii_alphanumeric() || *b == b'_' || *b == b'-' { *b as char } else { '_' });
    safe.take(32).collect()
}

/// Names that were given twice get a number.
fn unique(all: &mut [Suggestion]) {
    let mut taken: Vec<String> = vec!["heap".to_owned(), "fail".to_owned()];
    for one in all {
        let base = one.name.clone();
        for n in 2.. {
            if !taken.contains(&one.name) {
                break;
            }
            one.name = format!("{base}-{n}");
        }
        taken.push(one.name.clone());
        if let Some((_, name)) = one.keys.first_mut() {
            *name = quoted(&one.name);
        }
    }
}

/// A basic string of TOML, in which nothing can confuse a terminal.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => out.push_str(&format!("\\u{:04X}", c as u32)),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_toml() {
        assert_eq!(quoted("a\"b\\c\n\u{202e}é"), r#""a\"b\\c\u000A\u202Eé""#);
        assert_eq!(named(Path::new("/mnt/p mem é")), "p_mem___");
        assert_eq!(named(Path::new("/")), "root");
    }

    #[test]
    fn names_are_unique() {
        let mut all: Vec<Suggestion> =
            ["a", "heap", "a", "a"].map(|name| Suggestion::new(name.to_owned(), String::new(), "memfd")).into();
        unique(&mut all);
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", "heap-2", "a-2", "a-3"]);
        assert_eq!(all[3].keys[0].1, "\"a-3\"");
    }
}
