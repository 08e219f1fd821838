//! Larger pages: pools of huge pages, and transparent ones.

use super::system::System;

/// Huge pages of one size, of the machine or of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Bytes of a page.
    pub page: u64,
    pub total: Option<u64>,
    pub free: Option<u64>,
    /// Promised to mappings that have not touched them.
    pub reserved: Option<u64>,
    /// How many more the kernel may make when they are asked for.
    pub overcommit: Option<u64>,
}

impl Pool {
    /// As rule files write it.
    pub fn size(&self) -> Option<&'static str> {
        match self.page {
            0x20_0000 => Some("2M"),
            0x4000_0000 => Some("1G"),
            _ => None,
        }
    }

    /// Can anything be had from it?
    pub fn is_usable(&self) -> bool {
        self.total.unwrap_or(0) > 0 || self.overcommit.unwrap_or(0) > 0
    }
}

/// The pools below a directory with `hugepages-2048kB` and its like, the smallest pages first.
pub fn pools(system: &System, directory: &str) -> Vec<Pool> {
    let mut pools: Vec<Pool> = system
        .names(directory)
        .iter()
        .filter_map(|name| {
            let page = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse::<u64>().ok()?.checked_mul(1024)?;
            let number = |what: &str| system.number(&format!("{directory}/{name}/{what}"));
            Some(Pool {
                page,
                total: number("nr_hugepages"),
                free: number("free_hugepages"),
                reserved: number("resv_hugepages"),
                overcommit: number("nr_overcommit_hugepages"),
            })
        })
        .collect();
    pools.sort_by_key(|pool| pool.page);
    pools
}

/// Transparent huge pages.
#[derive(Clone, Debug)]
pub struct Transparent {
    /// always, madvise, never.
    pub mode: Option<String>,
    pub defrag: Option<String>,
    pub shmem: Option<String>,
    /// Bytes of such a page.
    pub page: Option<u64>,
}

impl Transparent {
    pub fn read(system: &System) -> Self {
        const AT: &str = "sys/kernel/mm/transparent_hugepage";
        Self {
            mode: system.chosen(&format!("{AT}/enabled")),
            defrag: system.chosen(&format!("{AT}/defrag")),
            shmem: system.chosen(&format!("{AT}/shmem_enabled")),
            page: system.number(&format!("{AT}/hpage_pmd_size")),
        }
    }

    /// Is a program that asks for them heard?
    pub fn is_usable(&self) -> bool {
        matches!(self.mode.as_deref(), Some("always" | "madvise"))
    }
}
