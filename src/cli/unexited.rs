//! Leaks of processes that did not exit: killed, crashed, or still running when their recording is read.
//!
//! The library looks for forgotten descriptors when its process exits. A process that never got there has left its
//! descriptor table as it was at its last moment; the same rules over that table find the same leaks. The kernel cannot be
//! asked any more, so nothing is called proved but what the last operation proves: see [`crate::look`]. The sentence says
//! where it comes from.
//!
//! What the process had filed itself by then, near its limit, is not told twice. A process that executed another program
//! has not left its descriptors behind: of that state nothing is said.

use crate::look::{self, findings::Context, findings::Told};
use crate::recordings::Loaded;
use record::findings::Resource;
use record::layout::state;

pub fn leaks(recording: &Loaded) -> Vec<Told> {
    if recording.head().state != state::RUNNING || recording.sites().next().is_none() {
        return Vec::new();
    }
    let look = look::take(recording, None, None);
    let context = Context::new(recording, None);
    let filed: Vec<_> = recording.findings().filter(|finding| matches!(finding.resource, Resource::Leak(_))).collect();
    let mut told: Vec<Told> = look.groups.iter().map(|judged| context.finding(judged, look.time)).collect();
    told.retain(|told| !filed.iter().any(|filed| context.is_same(told, filed)));
    for Told { finding, .. } in &mut told {
        if let Resource::Leak(leak) = &mut finding.resource {
            leak.unended = true;
        }
    }
    told
}
