//! What a placement needs of one recording, taken out so that the recording can be let go.

use super::Process;
use crate::merge::{Site, Sites, program};
use crate::recordings::Loaded;
use record::layout::state;
use record::reader::{Tier, TierRule, TierSite};

pub struct Extract {
    pub(super) process: Process,
    pub(super) tiers: Vec<Tier>,
    pub(super) rules: Vec<TierRule>,
    pub(super) sites: Vec<(TierSite, Vec<Site>)>,
}

impl Extract {
    /// Nothing of a process without tiers.
    pub fn new(recording: &Loaded) -> Option<Self> {
        let tiers = recording.tiers();
        if tiers.is_empty() {
            return None;
        }
        let head = recording.head();
        let mut calls = Sites::new(recording);
        let sites = recording.tier_sites().into_iter().map(|site| (site, calls.stack(site.stack))).collect();
        Some(Self {
            process: Process {
                pid: head.pid,
                program: program(&head).to_vec(),
                rank: head.rank,
                running: head.state == state::RUNNING,
            },
            tiers,
            rules: recording.tier_rules(),
            sites,
        })
    }
}
