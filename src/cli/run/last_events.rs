//! What the process did last with its descriptors: the rings of all its threads, merged by time.

use crate::merge::Sites;
use crate::message::reason;
use crate::recordings::Loaded;
use crate::report::text::{call_site, thread};
use crate::symbolise::Symboliser;
use record::layout::Op;
use record::reader::Event;
use std::io::{self, Write};

const SHOWN: usize = 20;

/// False when there are none.
pub fn write(recording: &Loaded, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<bool> {
    let mut events: Vec<(Event, String)> = Vec::new();
    for thread_entry in recording.threads() {
        let name = thread(thread_entry.tid, &thread_entry.name);
        // The last ones of all are among the last ones of each.
        let skipped = thread_entry.events.len().saturating_sub(SHOWN);
        events.extend(thread_entry.events.into_iter().skip(skipped).map(|event| (event, name.clone())));
    }
    events.sort_by_key(|(event, _)| event.time);
    events.drain(..events.len().saturating_sub(SHOWN));
    let Some(last) = events.last().map(|(event, _)| event.time) else { return Ok(false) };
    writeln!(out, "last descriptor events, the newest last:")?;
    let mut sites = Sites::new(recording);
    for (event, thread) in &events {
        let before = (last - event.time) as f64 / 1e6;
        let call = sites.stack(event.stack).first().and_then(|site| symbols.locate(site).first().and_then(call_site));
        let call = call.map(|call| format!("  {call}")).unwrap_or_default();
        writeln!(out, "  {:>12} ms  {}  {thread}{call}", format!("-{before:.3}"), what(event))?;
    }
    Ok(true)
}

/// `close 7 (Bad file descriptor)`.
fn what(event: &Event) -> String {
    let fd = event.fd;
    let text = match event.op {
        Op::Open => format!("open {fd}"),
        Op::Close => format!("close {fd}"),
        Op::Dup => format!("dup {fd} to {}", event.detail as i32),
        Op::BadUse => format!("use of {fd}, which is closed"),
        Op::Evict => format!("{fd} left the quarantine"),
        Op::Refused => format!("close {fd} refused"),
        Op::Fork => "fork".to_owned(),
        Op::Exec => "exec".to_owned(),
        Op::Receive => format!("receive {fd}"),
        Op::ThreadStart => "thread start".to_owned(),
        Op::ThreadEnd => "thread end".to_owned(),
        Op::CloseRange => format!("close {fd} to {}", event.detail as u32),
        Op::Exit => "exit".to_owned(),
    };
    if event.errno == 0 {
        return text;
    }
    let error = io::Error::from_raw_os_error(i32::from(event.errno));
    format!("{text} ({})", reason(&error))
}
