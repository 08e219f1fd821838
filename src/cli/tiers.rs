//! `shim tiers`: which kinds of memory this machine has, and the lines of a rule file that name them.
//!
//! ```text
//! system (files below a root) ─→ nodes, pages, devices ─→ Machine ─→ suggest ([[tier]] lines) ─→ text, json
//! ```
//!
//! Why from files and not from calls: everything that the kernel says of memory stands in /sys and /proc, and a folder of such
//! files is a machine that a test can have.
//!
//! Rules: what the system does not say stays unknown (`-`); a kind is named only where firmware or kernel told of it
//! ([`nodes::Origin`]).

mod devices;
mod json;
mod nodes;
mod pages;
mod space;
mod suggest;
mod system;
mod text;

use crate::args::TiersArgs;
use crate::message::Failure;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use system::System;

/// Everything that was found.
struct Machine {
    nodes: Vec<nodes::Node>,
    pools: Vec<pages::Pool>,
    transparent: pages::Transparent,
    dax: Vec<devices::Dax>,
    mounts: Vec<devices::Mount>,
    /// Can a program have memory without a name? Nothing when the version of the kernel is not known.
    memfd: Option<bool>,
    /// Does the kernel weigh nodes for `weighted-interleave`?
    weights: bool,
}

impl Machine {
    fn of(system: &System) -> Self {
        let dax = devices::dax(system);
        Self {
            nodes: nodes::read(system, &dax),
            pools: pages::pools(system, "sys/kernel/mm/hugepages"),
            transparent: pages::Transparent::read(system),
            mounts: devices::mounts(system),
            memfd: system.kernel().map(|version| version >= (3, 17)),
            weights: system.is_directory("sys/kernel/mm/mempolicy/weighted_interleave"),
            dax,
        }
    }
}

pub fn tiers(args: &TiersArgs) -> Result<ExitCode, Failure> {
    let machine = Machine::of(&System::new(args.sysfs.as_deref()));
    let suggestions = suggest::all(&machine);
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        json::write(&machine, &suggestions, &mut out)?;
    } else {
        text::write(&machine, &suggestions, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
