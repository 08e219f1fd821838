//! Findings for programs: one JSON object per line, with the keys and their order that DESIGN.md pins.
//!
//! A key whose value is unknown is left out. Text of the watched program is escaped: control characters and what turns
//! the direction of text as `\u…`, bytes that are no UTF-8 as `\xNN`.

use super::{Render, Shown, owner, sentence, written};
use crate::escape;
use crate::fd_kind;
use crate::merge::{Merged, Site, Stack};
use crate::symbolise::{Location, Symboliser};
use record::findings::Resource;
use record::text::{Line, until_nul};
use serde::Serialize;
use serde_json::ser::Formatter;
use serde_json::value::RawValue;
use std::io::{self, Write};

pub struct Json;

#[derive(Serialize)]
pub struct JsonFinding {
    kind: &'static str,
    severity: &'static str,
    pid: u32,
    tid: u32,
    thread: String,
    count: u64,
    message: String,
    resource: JsonResource,
    stacks: Vec<JsonStack>,
    /// Of MPI, where they are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ranks: Vec<u32>,
}

#[derive(Serialize, Default)]
struct JsonResource {
    #[serde(skip_serializing_if = "Option::is_none")]
    fd: Option<i32>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// As the library writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    leak: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct JsonStack {
    role: &'static str,
    tid: u32,
    frames: Vec<JsonFrame>,
}

#[derive(Serialize)]
pub struct JsonFrame {
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    offset: String,
}

impl Render for Json {
    fn finding(&mut self, found: &Merged, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
        let value = value(found, symbols);
        let mut line = serde_json::Serializer::with_formatter(&mut *out, Escaping);
        value.serialize(&mut line).map_err(io::Error::from)?;
        out.write_all(b"\n")
    }

    fn end(&mut self, _shown: &Shown, _symbols: &mut Symboliser, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// The finding as `--json` has it.
pub fn value(found: &Merged, symbols: &mut Symboliser) -> JsonFinding {
    let finding = &found.finding;
    JsonFinding {
        kind: finding.kind.name(),
        severity: finding.severity.name(),
        pid: found.processes.first().map_or(0, |p| p.pid),
        tid: finding.tid,
        thread: text(until_nul(&finding.thread)),
        count: found.count,
        message: sentence(finding),
        resource: resource(found, symbols),
        stacks: found.stacks.iter().map(|s| stack(s, symbols)).collect(),
        ranks: found.ranks.clone(),
    }
}

/// As it is when it is UTF-8: [`Escaping`] does the rest.
pub fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(valid) => valid.to_owned(),
        Err(_) => escape::bytes(bytes),
    }
}

fn resource(found: &Merged, symbols: &mut Symboliser) -> JsonResource {
    let (resource, label) = (&found.finding.resource, &found.finding.label);
    let mut things = |line: &mut Line| {
        for thing in &found.things {
            let name = symbols.variable(&thing.site);
            let module = thing.site.module.as_ref().map(|m| text(&m.path));
            let (name, module) = (name.as_ref().map(String::as_bytes), module.as_ref().map(String::as_bytes));
            record::json::write_thing(thing.prefix, name, module, thing.site.offset, line);
        }
    };
    let (fd, kind, owner_kind, object) = match *resource {
        Resource::Descriptor { fd, kind, owner_kind, owner, .. } => (fd, kind, owner_kind, owner),
        Resource::Leak(leak) => (leak.fd, leak.kind, 0, 0),
        Resource::Limit(limit) => {
            let limit = raw(|line| record::json::write_limit(&limit, line));
            return JsonResource { limit, ..JsonResource::default() };
        }
        Resource::Block(block) => {
            let block = raw(|line| record::json::write_block(&block, line));
            return JsonResource { block, ..JsonResource::default() };
        }
        Resource::Lost(lost) => {
            let lost = raw(|line| record::json::write_lost(&lost, line));
            return JsonResource { lost, ..JsonResource::default() };
        }
        Resource::Key(key) => {
            let key = raw(|line| record::json::write_key(&key, &mut things, line));
            return JsonResource { key, ..JsonResource::default() };
        }
        Resource::Lock(lock) => {
            let lock = raw(|line| record::json::write_lock(&lock, &mut things, line));
            return JsonResource { lock, ..JsonResource::default() };
        }
        Resource::None => return JsonResource::default(),
    };
    let path = if label.is_path() { written(|line| label.write_name(line)) } else { None };
    JsonResource {
        fd: Some(fd),
        kind: Some(fd_kind::name(kind)),
        local: written(|line| {
            label.write_local(line);
        }),
        peer: written(|line| {
            label.write_peer(line);
        }),
        path,
        owner: owner(owner_kind, object),
        leak: if let Resource::Leak(leak) = resource { raw(|line| record::json::write_leak(leak, line)) } else { None },
        ..JsonResource::default()
    }
}

/// The value of the member that the library writes.
fn raw(write: impl FnOnce(&mut Line)) -> Option<Box<RawValue>> {
    // Names and paths of the program are the long part of it.
    let mut buffer = vec![0; 64 << 10];
    let mut line = Line::new(&mut buffer);
    write(&mut line);
    let (_, value) = std::str::from_utf8(line.as_bytes()).ok()?.split_once(':')?;
    RawValue::from_string(value.to_owned()).ok()
}

fn stack(stack: &Stack, symbols: &mut Symboliser) -> JsonStack {
    let mut frames = Vec::new();
    for site in &stack.frames {
        frames.extend(symbols.locate(site).iter().map(|location| frame(location, site)));
    }
    JsonStack { role: stack.role.name(), tid: stack.tid, frames }
}

pub fn frame(location: &Location, site: &Site) -> JsonFrame {
    JsonFrame {
        function: location.function.clone(),
        file: location.file.clone(),
        line: location.line,
        module: site.module.as_ref().map(|m| text(&m.path)),
        offset: format!("{:#x}", site.offset),
    }
}

/// Compact JSON in which nothing can confuse a terminal.
pub struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices() {
            if matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                out.write_all(&fragment.as_bytes()[plain..at])?;
                write!(out, "\\u{:04x}", c as u32)?;
                plain = at + c.len_utf8();
            }
        }
        out.write_all(&fragment.as_bytes()[plain..])?;
        Ok(())
    }
}
