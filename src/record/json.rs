//! A finding as one line of JSON, by the process that finds it: the schema of `shim report --json`, with what is known there.
//!
//! Why not the JSON of the command: that one allocates and formats, and this runs in the watched process. Frames have no file
//! and no line; a function only where it is exported.
//!
//! Rules: no allocation. A line is never cut: when it does not fit, each stack loses frames from its outer end until it does.
//! Text of the program is escaped: control characters and what turns the direction of text as `\u…`; bytes that are no
//! UTF-8 become U+FFFD.

use crate::call::Call;
use crate::errno;
use crate::findings::{Block, Earlier, Key, Leak, Limit, Lock, Lost, Report, Resource};
use crate::heap;
use crate::lock;
use crate::sentence::{self, KindName};
use crate::stacks::MAX_FRAMES;
use crate::text::{Line, until_nul};

/// A call as the process knows it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub function: Option<&'a [u8]>,
    pub module: Option<&'a [u8]>,
    pub offset: u64,
}

/// Hands the frames of a stack, innermost first and at most so many, to the function.
pub type Frames<'f> = dyn FnMut(u32, usize, &mut dyn FnMut(&Frame)) + 'f;

/// Frames per stack that are tried in turn.
const DEPTHS: [usize; 12] = [MAX_FRAMES, 48, 32, 24, 16, 12, 8, 6, 4, 2, 1, 0];

/// Writes the line with its newline. False, and an empty line: the buffer cannot hold it without any frame either; 4096
/// bytes always can.
pub fn write(report: &Report, pid: u32, count: u64, names: KindName, frames: &mut Frames, line: &mut Line) -> bool {
    for depth in DEPTHS {
        line.clear();
        attempt(report, pid, count, names, frames, depth, line);
        // A line that is full may have been cut.
        if line.room() > 0 {
            return true;
        }
    }
    line.clear();
    false
}

fn attempt(report: &Report, pid: u32, count: u64, names: KindName, frames: &mut Frames, depth: usize, line: &mut Line) {
    line.text("{\"kind\":\"").text(report.kind.name());
    line.text("\",\"severity\":\"").text(report.severity.name());
    line.text("\",\"pid\":").number(u64::from(pid)).text(",\"tid\":").number(u64::from(report.tid));
    string(until_nul(&report.thread), line.text(",\"thread\":"));
    line.text(",\"count\":").number(count).text(",\"message\":");
    written(line, |sentence| sentence::write(report, names, sentence));
    line.text(",\"resource\":{");
    resource(report, names, frames, depth, line);
    line.text("},\"stacks\":[");
    for (i, party) in report.parties.iter().filter(|p| p.role.is_some()).enumerate() {
        line.text(if i > 0 { ",{\"role\":\"" } else { "{\"role\":\"" });
        line.text(party.role.map_or("", |role| role.name()));
        line.text("\",\"tid\":").number(u64::from(party.tid)).text(",\"frames\":[");
        let mut first = true;
        if depth > 0 {
            frames(party.stack, depth, &mut |frame| {
                line.text(if core::mem::take(&mut first) { "{" } else { ",{" });
                self::frame(frame, line);
                line.text("}");
            });
        }
        line.text("]}");
    }
    line.text("]}\n");
}

fn frame(frame: &Frame, line: &mut Line) {
    for (key, value) in [("\"function\":", frame.function), ("\"module\":", frame.module)] {
        if let Some(value) = value {
            string(value, line.text(key));
            line.text(",");
        }
    }
    line.text("\"offset\":\"").hex(frame.offset).text("\"");
}

fn resource(report: &Report, names: KindName, frames: &mut Frames, depth: usize, line: &mut Line) {
    let mut things = |line: &mut Line| {
        for thing in report.resource.things().iter().filter(|thing| thing.place != 0 && depth > 0) {
            frames(thing.place, 1, &mut |frame| {
                write_thing(thing.prefix, frame.function, frame.module, frame.offset, line);
            });
        }
    };
    let (fd, kind, owner_kind, owner) = match report.resource {
        Resource::Descriptor { fd, kind, owner_kind, owner, .. } => (fd, kind, owner_kind, owner),
        Resource::Leak(leak) => (leak.fd, leak.kind, 0, 0),
        Resource::Limit(limit) => return write_limit(&limit, line),
        Resource::Block(block) => return write_block(&block, line),
        Resource::Lost(lost) => return write_lost(&lost, line),
        Resource::Key(key) => return write_key(&key, &mut things, line),
        Resource::Lock(lock) => return write_lock(&lock, &mut things, line),
        Resource::None => return,
    };
    let label = &report.label;
    line.text("\"fd\":").signed(i64::from(fd)).text(",\"type\":");
    string(names(kind).as_bytes(), line);
    optional(",\"local\":", line, |text| {
        label.write_local(text);
    });
    optional(",\"peer\":", line, |text| {
        label.write_peer(text);
    });
    if label.is_path() {
        optional(",\"path\":", line, |text| label.write_name(text));
    }
    if owner_kind != 0 {
        optional(",\"owner\":", line, |text| {
            text.text(sentence::owner_name(owner_kind)).text(" ").hex(owner);
        });
    }
    if let Resource::Leak(leak) = report.resource {
        line.text(",");
        write_leak(&leak, line);
    }
}

/// `"leak":{…}`: how the descriptors went, in numbers. Times are milliseconds before the look.
pub fn write_leak(leak: &Leak, line: &mut Line) {
    line.text("\"leak\":{");
    if let Some(call) = Call::from_code(u16::from(leak.call)) {
        line.text("\"last\":\"").text(call.name()).text("\",\"ending\":\"");
        line.text(sentence::ending_name(leak)).text("\",");
        if let Some(name) = errno::name(leak.errno) {
            line.text("\"errno\":\"").text(name).text("\",");
        }
    }
    line.text("\"oldest_ms\":").number(leak.as_of.saturating_sub(leak.oldest) / 1_000_000);
    line.text(",\"newest_ms\":").number(u64::from(leak.newest_ago));
    line.text(",\"unread\":").number(leak.unread).text(",\"tcp\":{");
    let mut separator = "\"";
    for (state, count) in leak.tcp.iter().enumerate().skip(1).filter(|(_, count)| **count > 0) {
        line.text(separator).text(sentence::TCP_NAMES[state]).text("\":").number(u64::from(*count));
        separator = ",\"";
    }
    line.text("}}");
}

/// `"limit":{…}`: the places in the order of the stacks.
pub fn write_limit(limit: &Limit, line: &mut Line) {
    line.text("\"limit\":{\"open\":").number(limit.open).text(",\"limit\":").number(limit.limit);
    line.text(",\"percent\":").number(u64::from(limit.stage));
    if let Some(name) = errno::name(limit.errno) {
        line.text(",\"errno\":\"").text(name).text("\"");
    }
    line.text(",\"over_ms\":").number(limit.over / 1_000_000).text(",\"places\":[");
    for (i, (open, more)) in limit.places.iter().take_while(|(open, _)| *open > 0).enumerate() {
        line.text(if i > 0 { ",{\"open\":" } else { "{\"open\":" }).number(u64::from(*open));
        line.text(",\"growth\":").number(u64::from(*more)).text("}");
    }
    line.text("]}");
}

/// `"block":{…}`: offsets are from the block's start, `bytes` is memory in hexadecimal.
pub fn write_block(block: &Block, line: &mut Line) {
    line.text("\"block\":{\"address\":\"").hex(block.address).text("\",\"size\":").number(block.size);
    line.text(",\"offset\":").signed(block.offset);
    if block.allocated != 0 {
        line.text(",\"allocated_by\":\"").text(heap::family::allocator(block.allocated)).text("\"");
    }
    match block.access {
        heap::access::READ => line.text(",\"access\":\"read\""),
        heap::access::WRITE => line.text(",\"access\":\"write\""),
        _ => line,
    };
    let bytes = &block.shown[..usize::from(block.shown_len).min(block.shown.len())];
    if !bytes.is_empty() {
        line.text(",\"bytes_at\":").signed(block.shown_at).text(",\"bytes\":\"");
        for byte in bytes {
            line.hex_digits(u64::from(byte >> 4)).hex_digits(u64::from(byte & 15));
        }
        line.text("\"");
    }
    if block.earlier.lock != 0 {
        write_earlier(&block.earlier, line);
    }
    line.text("}");
}

/// `,"earlier":{…}`: the lock call that had failed with the block in hand.
fn write_earlier(earlier: &Earlier, line: &mut Line) {
    line.text(",\"earlier\":{\"call\":\"").text(lock::call::name(earlier.call));
    line.text("\",\"lock\":\"")
        .hex(earlier.lock)
        .text("\",\"type\":\"")
        .text(lock::kind::name(earlier.kind))
        .text("\"");
    if let Some(name) = errno::name(earlier.errno) {
        line.text(",\"errno\":\"").text(name).text("\"");
    }
    line.text(",\"ignored\":").text(if earlier.ignored { "true" } else { "false" });
    line.text(",\"inside\":").text(if earlier.inside { "true}" } else { "false}" });
}

/// `"lost":{…}`: blocks that were never freed. Times are milliseconds before the look.
pub fn write_lost(lost: &Lost, line: &mut Line) {
    line.text("\"lost\":{\"class\":\"").text(heap::class::name(lost.class));
    line.text("\",\"blocks\":").number(lost.blocks).text(",\"bytes\":").number(lost.bytes);
    line.text(",\"indirect_blocks\":").number(lost.indirect_blocks);
    line.text(",\"indirect_bytes\":").number(lost.indirect_bytes);
    line.text(",\"oldest_ms\":").number(u64::from(lost.oldest_ago));
    line.text(",\"newest_ms\":").number(u64::from(lost.newest_ago)).text("}");
}

/// Writes what a finding names, with [`write_thing`].
pub type Things<'t> = dyn FnMut(&mut Line) + 't;

/// `,"variable":"plugin_key","module":"/srv/libplugin.so"`; where no name is known, the offset in the module.
pub fn write_thing(prefix: &str, name: Option<&[u8]>, module: Option<&[u8]>, offset: u64, line: &mut Line) {
    for (key, value) in [("variable\":", name), ("module\":", module)] {
        if let Some(value) = value {
            string(value, line.text(",\"").text(prefix).text(key));
        }
    }
    if name.is_none() {
        line.text(",\"").text(prefix).text("offset\":\"").hex(offset).text("\"");
    }
}

/// `"key":{…}`: the index, the variables, and how many are in use.
pub fn write_key(key: &Key, things: &mut Things, line: &mut Line) {
    line.text("\"key\":{\"index\":").number(u64::from(key.index));
    if key.value != 0 {
        line.text(",\"value\":\"").hex(key.value).text("\"");
    }
    if let Some(name) = errno::name(key.errno) {
        line.text(",\"errno\":\"").text(name).text("\"");
    }
    things(line);
    line.text(",\"live\":").number(u64::from(key.live)).text(",\"limit\":").number(u64::from(key.limit)).text("}");
}

/// `"lock":{…}`: the lock, and a second one where there are two.
pub fn write_lock(lock: &Lock, things: &mut Things, line: &mut Line) {
    line.text("\"lock\":{\"address\":\"").hex(lock.address);
    line.text("\",\"type\":\"").text(lock::kind::name(lock.kind)).text("\"");
    match lock.mode {
        lock::mode::READ => line.text(",\"mode\":\"read\""),
        lock::mode::EXCLUSIVE => line.text(",\"mode\":\"exclusive\""),
        _ => line,
    };
    if let Some(name) = crate::lock::error_name(lock.errno) {
        line.text(",\"errno\":\"").text(name).text("\"");
    }
    if lock.other != 0 {
        line.text(",\"other\":\"").hex(lock.other);
        line.text("\",\"other_type\":\"").text(lock::kind::name(lock.other_kind)).text("\"");
    }
    if lock.block != 0 {
        line.text(",\"block\":\"").hex(lock.block).text("\",\"size\":").number(lock.block_size);
    }
    if lock.old != lock.new {
        line.text(",\"offset\":").number(lock.offset);
        line.text(",\"old\":\"").hex(lock.old).text("\",\"new\":\"").hex(lock.new).text("\"");
    }
    things(line);
    line.text("}");
}

/// A key with what `write` writes, when it writes anything.
fn optional(key: &str, line: &mut Line, write: impl FnOnce(&mut Line)) {
    let mark = line.as_bytes().len();
    line.text(key);
    if !written(line, write) {
        line.truncate(mark);
    }
}

/// What `write` writes, as a string. False: nothing, an empty string.
fn written(line: &mut Line, write: impl FnOnce(&mut Line)) -> bool {
    let mut buffer = [0; 1024];
    let mut text = Line::new(&mut buffer);
    write(&mut text);
    string(text.as_bytes(), line);
    !text.is_empty()
}

/// A JSON string, with its quotes.
pub fn string(text: &[u8], line: &mut Line) {
    line.text("\"");
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => {
                    line.text("\\");
                    line.raw(&[c as u8]);
                }
                '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    line.text("\\u");
                    for shift in [12, 8, 4, 0] {
                        line.hex_digits(u64::from(c as u32 >> shift & 15));
                    }
                }
                _ => {
                    line.raw(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        if !chunk.invalid().is_empty() {
            line.text("\u{fffd}");
        }
    }
    line.text("\"");
}
