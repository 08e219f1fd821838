//! Findings for people: the sentence, then each stack with the source line of the call.
//!
//! ```text
//! error: double close of fd 7 (tcp …): closed here by thread 14 "worker", already closed by thread 13 "io"  ×3
//!   fd.double-close in app (pid 12)
//!   here: thread 14 "worker"
//!     #0 finish_request  crash.c:12  (/srv/app+0x11f0)
//!        12 |     close(fd);
//! ```

use super::{Render, Shown, sentence};
use crate::escape::{bytes, shown};
use crate::merge::{Merge, Merged, Site, Stack};
use crate::ranks;
use crate::source::Sources;
use crate::symbolise::{Location, Symboliser};
use record::text::until_nul;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Processes that a finding names before it counts the rest.
const NAMED: usize = 3;

/// `== shim: 2 findings in 1 process`.
pub fn rule(merge: &Merge) -> String {
    let ranks = ranks::list(&merge.ranks()).map_or_else(String::new, |ranks| format!(", {ranks}"));
    if merge.is_empty() {
        return format!("== shim: no findings in {}{ranks}", plural(merge.recordings, "process", "processes"));
    }
    // Of all processes: on which of them a finding is, it says itself.
    let ranks = ranks.replacen(", ", "; recorded: ", 1);
    format!("== shim: {} in {}{ranks}", findings(merge.len()), plural(merge.processes(), "process", "processes"))
}

/// `2 findings`.
pub fn findings(count: usize) -> String {
    plural(count, "finding", "findings")
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[derive(Default)]
pub struct Text {
    sources: Sources,
}

impl Render for Text {
    fn finding(&mut self, found: &Merged, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
        let times = if found.count > 1 { format!("  ×{}", found.count) } else { String::new() };
        let finding = &found.finding;
        writeln!(out, "\n{}: {}{times}", finding.severity.name(), sentence(finding))?;
        writeln!(out, "  {} in {}{}", finding.kind.name(), processes(found), on_ranks(&found.ranks))?;
        for thing in &found.things {
            writeln!(out, "  {}: {}", thing.words, super::named(thing, symbols))?;
        }
        for stack in &found.stacks {
            writeln!(out, "  {}: {}", stack.role.name(), thread(stack.tid, &stack.thread))?;
            self.stack(stack, symbols, out)?;
        }
        Ok(())
    }

    fn end(&mut self, shown: &Shown, _symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
        if shown.left_out > 0 {
            writeln!(out, "\n{} more, left out by --limit", findings(shown.left_out))?;
        }
        match shown.merge.losses() {
            Some(losses) => writeln!(out, "\nnot recorded, for want of room or of a way to see it: {losses}"),
            None => Ok(()),
        }
    }
}

impl Text {
    fn stack(&mut self, stack: &Stack, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
        if stack.frames.is_empty() {
            return writeln!(out, "    (no stack)");
        }
        let mut number = 0;
        let mut shown_source = false;
        for site in &stack.frames[..before_start(&stack.frames, symbols)] {
            for location in symbols.locate(site).iter() {
                writeln!(out, "    #{number} {}", frame(location, site))?;
                number += 1;
                if !shown_source && let Some((line, text)) = self.source(location) {
                    writeln!(out, "    {line:>6} | {}", bytes(&text))?;
                    shown_source = true;
                }
            }
        }
        Ok(())
    }

    fn source(&mut self, location: &Location) -> Option<(u32, Vec<u8>)> {
        let line = location.line?;
        Some((line, self.sources.line(location.path.as_deref()?, line)?))
    }
}

/// How many frames are worth showing: those that start a program or a thread, in libc and in `_start`, say nothing.
pub fn before_start(frames: &[Site], symbols: &mut Symboliser) -> usize {
    let mut starts = |site: &Site| {
        let path = site.module.as_ref().map_or(&b""[..], |m| &m.path);
        let base = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        base.starts_with(b"libc.so.")
            || base.starts_with(b"libpthread.so.")
            || symbols.locate(site).last().is_some_and(|l| l.function.as_deref() == Some("_start"))
    };
    frames.iter().rposition(|site| !starts(site)).map_or(1, |last| last + 1)
}

/// `app (pid 12), app (pid 13) and 7 more`.
fn processes(found: &Merged) -> String {
    let mut text = String::new();
    for (i, process) in found.processes.iter().take(NAMED).enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        write!(text, "{comma}{} (pid {})", bytes(&process.program), process.pid).ok();
    }
    let more = found.processes.len().saturating_sub(NAMED) + found.more_processes;
    if more > 0 {
        write!(text, " and {} more", plural(more, "process", "processes")).ok();
    }
    text
}

/// `, on rank 3`, `, on 4 ranks: 0–2, 5`; nothing where none is known.
fn on_ranks(ranks: &[u32]) -> String {
    match (ranks, ranks::list(ranks)) {
        ([_], Some(one)) => format!(", on {one}"),
        (_, Some(many)) => format!(", on {} {}", ranks.len(), many.replacen("ranks ", "ranks: ", 1)),
        (_, None) => String::new(),
    }
}

/// `thread 14 "worker"`.
pub fn thread(tid: u32, name: &[u8]) -> String {
    match until_nul(name) {
        b"" => format!("thread {tid}"),
        name => format!("thread {tid} \"{}\"", bytes(name)),
    }
}

/// `finish_request  crash.c:12  (/srv/app+0x11f0)`.
pub fn frame(location: &Location, site: &Site) -> String {
    let place = match &site.module {
        Some(module) => format!("({}+{:#x})", bytes(&module.path), site.offset),
        None => format!("({:#x})", site.offset),
    };
    match call_site(location) {
        Some(call) => format!("{call}  {place}"),
        None => format!("??  {place}"),
    }
}

/// `finish_request  crash.c:12`, as much of it as is known.
pub fn call_site(location: &Location) -> Option<String> {
    let file = location.file.as_ref().map(|file| match location.line {
        Some(line) => format!("{}:{line}", shown(file)),
        None => shown(file),
    });
    match (location.function.as_ref().map(shown), file) {
        (Some(function), Some(file)) => Some(format!("{function}  {file}")),
        (Some(one), None) => Some(one),
        (None, Some(file)) => Some(format!("??  {file}")),
        (None, None) => None,
    }
}
