//! What a group or a site is called in one line of a table.

use super::Judged;
use super::findings::Context;
use crate::escape::bytes;
use crate::merge::{self, Sites};
use crate::symbolise::Symboliser;
use record::call::Call;
use record::errno;
use track::fd::leak::{Group, tcp};
use track::fd::{Ending, Place};

/// `connect() ECONNREFUSED`, `read() end of stream`, `never used`.
pub fn last_operation(group: &Group) -> String {
    let Some(call) = Call::from_code(u16::from(group.last.call)) else { return "never used".to_owned() };
    let name = call.name();
    match group.last.ending {
        Ending::Done => format!("{name}()"),
        Ending::End => format!("{name}() end of stream"),
        Ending::Again if group.blocking => format!("{name}() timed out"),
        Ending::Again => format!("{name}() EAGAIN"),
        Ending::Failed => match errno::name(group.last.errno) {
            Some(error) => format!("{name}() {error}"),
            None => format!("{name}() errno {}", group.last.errno),
        },
    }
}

/// Where the last operation was, when it is known: `gateway.c:31`.
pub fn last_place(judged: &Judged, context: &Context, sites: &mut Sites, symbols: &mut Symboliser) -> Option<String> {
    let site = match judged.group.last.place {
        Place::Stack(stack) => sites.stack(stack.0).into_iter().next()?,
        Place::Address(address) => sites.frame(context.frame(address, judged.group.last_used)),
        Place::Unknown => return None,
    };
    Some(line_of(&site, symbols))
}

/// `file:line`, or as much as is known.
fn line_of(site: &merge::Site, symbols: &mut Symboliser) -> String {
    let locations = symbols.locate(site);
    let found = locations.first().and_then(|l| {
        let file = l.file.as_deref()?;
        let base = file.rsplit('/').next().unwrap_or(file);
        Some(bytes(l.line.map_or_else(|| base.to_owned(), |line| format!("{base}:{line}")).as_bytes()))
    });
    found.unwrap_or_else(|| function_of(site, symbols))
}

/// `open_backend gateway.c:25`, or the module and the offset.
pub fn call(site: &merge::Site, symbols: &mut Symboliser) -> String {
    let (function, line) = (function_of(site, symbols), line_of(site, symbols));
    if function == line { function } else { format!("{function} {line}") }
}

fn function_of(site: &merge::Site, symbols: &mut Symboliser) -> String {
    let found = symbols.locate(site).first().and_then(|l| l.function.as_deref().map(|f| bytes(f.as_bytes())));
    found.unwrap_or_else(|| module_and_offset(site))
}

fn module_and_offset(site: &merge::Site) -> String {
    match &site.module {
        Some(module) => {
            let base = module.path.rsplit(|b| *b == b'/').next().unwrap_or_default();
            format!("{}+{:#x}", bytes(base), site.offset)
        }
        None => format!("{:#x}", site.offset),
    }
}

/// The call that opened a site's descriptors.
pub fn opener(stack: u32, sites: &mut Sites, symbols: &mut Symboliser) -> String {
    match (stack, sites.stack(stack).first()) {
        (0, _) => "open from the start, or inherited".to_owned(),
        (_, Some(site)) => call(site, symbols),
        (_, None) => "(no stack)".to_owned(),
    }
}

/// `12 CLOSE_WAIT, 3 ESTABLISHED`, the most first; empty without a TCP socket of a known state.
pub fn tcp_states(counts: &[u64; tcp::STATES]) -> String {
    let mut known: Vec<(u64, usize)> = (1..tcp::STATES).map(|s| (counts[s], s)).filter(|(n, _)| *n > 0).collect();
    known.sort_by_key(|(n, s)| (std::cmp::Reverse(*n), *s));
    let parts: Vec<String> = known.into_iter().map(|(n, s)| format!("{n} {}", tcp::name(s as u8))).collect();
    parts.join(", ")
}
