//! A recording, by its reader: everything that can be asked of it. Claims: each finding has its line of JSON, and that is valid.

use crate::dense::unpack;
use record::json;
use record::layout::Counter;
use record::reader::Recording;
use record::text::Line;

/// Stacks and modules that are asked for by number, beside those that are named.
const ASKED: u32 = 64;

pub fn run(input: &[u8]) {
    let Some(dense) = unpack(input) else { return };
    let recording = match Recording::parse(&dense.bytes[..]) {
        Ok(recording) => recording,
        Err(error) => return super::assert_one_line(&error.to_string()),
    };
    let head = recording.head();
    let mut sum: u64 = Counter::ALL.iter().fold(0, |sum, (counter, _)| sum ^ recording.counter(*counter));
    for thread in recording.threads() {
        sum ^= u64::from(thread.tid) ^ thread.events.len() as u64;
    }
    for waiter in recording.waiters() {
        sum ^= format!("{waiter:?}").len() as u64;
    }
    for finding in recording.findings() {
        let report = finding.report();
        let mut buffer = [0; 4096];
        let mut line = Line::new(&mut buffer);
        let mut frames = |stack: u32, most: usize, each: &mut dyn FnMut(&json::Frame)| {
            for frame in recording.stack(stack).into_iter().take(most) {
                let module = frame.module().and_then(|index| recording.module(index));
                let path = module.as_ref().map(|module| &module.path[..]);
                each(&json::Frame { function: path, module: path, offset: frame.offset() });
            }
        };
        let whole = json::write(&report, head.pid, finding.count, |_| "tcp", &mut frames, &mut line);
        assert!(whole, "no line for {:?}", finding.kind);
        let parsed: Result<serde_json::Value, _> = serde_json::from_slice(line.as_bytes());
        assert!(parsed.is_ok(), "{parsed:?}: {}", String::from_utf8_lossy(line.as_bytes()));
    }
    sum ^= recording.findings_unreadable() as u64;
    for id in 0..ASKED {
        sum ^= recording.stack(id).len() as u64;
        sum ^= recording.module(id as usize).map_or(0, |module| module.start);
    }
    sum ^= recording.modules().map(|(_, module)| module.path.len() as u64).sum::<u64>();
    sum ^= recording.heap_elsewhere().map_or(0, |path| path.len() as u64);
    for (index, site) in recording.sites() {
        sum ^= site.open_now() ^ u64::from(recording.site(index).is_some());
    }
    sum ^= recording.samples().len() as u64;
    sum ^= recording.descriptors().count() as u64 ^ recording.keys().count() as u64;
    heap(&recording);
    for lock in recording.locks() {
        sum ^= format!("{lock:?}").len() as u64;
    }
    sum ^= recording.lock_edges().count() as u64;
    sum ^= recording.tiers().len() as u64 ^ recording.tier_rules().len() as u64;
    sum ^= recording.tier_sites().len() as u64;
    std::hint::black_box(sum);
}

fn heap(recording: &Recording<&[u8]>) {
    let calls = recording.heap_calls();
    if let Some(heap) = recording.heap() {
        std::hint::black_box((heap.is_estimate(), heap.held(&calls)));
    }
    for (index, site) in recording.heap_sites() {
        std::hint::black_box((site, recording.heap_site(index), recording.heap_usage(index)));
    }
    for sample in recording.heap_samples() {
        std::hint::black_box(sample);
    }
}
