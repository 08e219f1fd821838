//! The sentences of the heap: what was done to which block, and what was never freed.

use super::{by, call, name};
use crate::findings::{Block, Lost, Report, Resource};
use crate::heap::{access, class, family, place, sight};
use crate::kind::{Kind, Role};
use crate::text::{Line, until_nul};
use crate::{errno, lock};

/// `double free of block 0x55d0 (32 bytes): freed here by thread 12 "worker", already freed by …, allocated by …`.
pub(super) fn write(report: &Report, line: &mut Line) {
    match report.resource {
        Resource::Block(block) => misuse(report, &block, line),
        Resource::Lost(lost) => leak(report, &lost, line),
        _ => {
            line.text(report.kind.name());
        }
    }
}

fn misuse(report: &Report, block: &Block, line: &mut Line) {
    let here = report.party(Role::Here);
    if block.earlier.lock != 0 {
        return chain(report, block, line);
    }
    match report.kind {
        Kind::HeapDoubleFree => {
            line.text("double free of ");
            the_block(block, line);
            line.text(": freed here");
            by(here, line);
            through(report, line);
            line.text(", already freed");
            by(report.party(Role::Freed), line);
            allocated(report, line);
        }
        Kind::HeapInvalidFree => {
            line.text("invalid free of ").hex(block.address.wrapping_add_signed(block.offset)).text(", ");
            whereabouts(report, block, line);
            line.text(": here");
            by(here, line);
            if block.place != place::STATIC {
                through(report, line);
            }
            allocated(report, line);
        }
        Kind::HeapMismatch => {
            the_block(block, line);
            line.text(" was allocated by ").text(family::allocator(block.allocated));
            line.text(" and freed by ");
            call(report, line);
            line.text(": here");
            by(here, line);
            allocated(report, line);
        }
        Kind::HeapOverflow | Kind::HeapUnderflow => outside(report, block, line),
        Kind::HeapUseAfterFree => {
            line.text(verb(block)).text(" freed memory: ").signed(block.offset).text(" bytes into ");
            the_block(block, line);
            line.text(", here");
            by(here, line);
            line.text(", freed");
            by(report.party(Role::Freed), line);
            allocated(report, line);
        }
        Kind::HeapWriteAfterFree => {
            line.text("write to freed memory: ").signed(block.offset).text(" bytes into ");
            the_block(block, line);
            line.text(" were overwritten while it lay in the quarantine; freed");
            by(report.party(Role::Freed), line);
            allocated(report, line);
        }
        _ => {
            line.text(report.kind.name()).text(" of ");
            the_block(block, line);
        }
    }
    shown(block, line);
}

/// A block that was in hand when a lock call failed, in the order of time: `write to freed memory: 8 bytes into block 0x55d0
/// (88 bytes): allocated by thread 7; then pthread_rwlock_wrlock of rwlock 0x5610 failed with EDEADLK and was ignored, with this
/// block at hand, by thread 8; then freed by thread 7; then written while it lay in the quarantine`.
fn chain(report: &Report, block: &Block, line: &mut Line) {
    match report.kind {
        Kind::HeapDoubleFree => {
            line.text("double free of ");
        }
        _ => {
            let kind = if block.access == access::READ { "read of" } else { "write to" };
            line.text(kind).text(" freed memory: ").signed(block.offset).text(" bytes into ");
        }
    }
    the_block(block, line);
    line.text(": allocated");
    by(report.party(Role::Allocated), line);
    let earlier = &block.earlier;
    line.text("; then ").text(lock::call::name(earlier.call)).text(" of ").text(lock::kind::name(earlier.kind));
    line.text(" ").hex(earlier.lock).text(" failed with ");
    match errno::name(earlier.errno) {
        Some(name) => line.text(name),
        None => line.text("error ").number(u64::from(earlier.errno)),
    };
    line.text(if earlier.ignored { " and was ignored," } else { "," });
    line.text(if earlier.inside { " with the lock in this block," } else { " with this block at hand," });
    by(report.party(Role::Locked), line);
    line.text("; then freed");
    by(report.party(Role::Freed), line);
    match (report.kind, report.party(Role::Here)) {
        (Kind::HeapDoubleFree, here) => {
            line.text("; then freed again here");
            by(here, line);
        }
        (_, Some(here)) => {
            line.text(if block.access == access::READ { "; then read here" } else { "; then written here" });
            by(Some(here), line);
        }
        _ => {
            line.text("; then written while it lay in the quarantine");
        }
    }
    shown(block, line);
}

/// An access before the start or behind the end.
fn outside(report: &Report, block: &Block, line: &mut Line) {
    let (side, distance) = if report.kind == Kind::HeapUnderflow {
        (" before the start of ", block.offset.unsigned_abs())
    } else {
        (" behind the end of ", (block.offset as u64).wrapping_sub(block.size))
    };
    line.text(verb(block)).text(" ").number(distance);
    line.text(if distance == 1 { " byte" } else { " bytes" }).text(side);
    the_block(block, line);
    if block.sight == sight::GUARD {
        line.text(": here");
        by(report.party(Role::Here), line);
    } else {
        line.text(": its redzone was found overwritten");
        if report.party(Role::Here).is_some() {
            line.text(" here");
            by(report.party(Role::Here), line);
        }
    }
    if report.party(Role::Freed).is_some() {
        line.text(", freed");
        by(report.party(Role::Freed), line);
    }
    allocated(report, line);
}

fn verb(block: &Block) -> &'static str {
    match block.access {
        access::READ => "read of",
        access::WRITE => "write to",
        _ => "use of",
    }
}

fn whereabouts(report: &Report, block: &Block, line: &mut Line) {
    match block.place {
        place::INSIDE => {
            line.text("which is ").signed(block.offset).text(" bytes inside of ");
            the_block(block, line);
        }
        place::BEHIND => {
            line.text("which is just behind ");
            the_block(block, line);
        }
        place::STACK => {
            line.text("which lies on the thread's stack");
        }
        place::STATIC => {
            line.text("which lies in the static data of ").foreign(until_nul(report.detail));
        }
        place::MISALIGNED => {
            line.text("which is not aligned as blocks are");
        }
        _ => {
            line.text("which no allocation call has returned");
        }
    }
}

/// `block 0x55d0 (32 bytes)`.
fn the_block(block: &Block, line: &mut Line) {
    line.text("block ").hex(block.address).text(" (").number(block.size);
    line.text(if block.size == 1 { " byte)" } else { " bytes)" });
}

/// Free speaks for itself.
fn through(report: &Report, line: &mut Line) {
    let call = until_nul(report.detail);
    if !call.is_empty() && call != b"free" {
        line.text(" through ").foreign(call);
    }
}

fn allocated(report: &Report, line: &mut Line) {
    if let Some(party) = report.party(Role::Allocated) {
        line.text(", allocated by");
        name(party, line);
    }
}

/// `; at +32: 41 41 00`.
fn shown(block: &Block, line: &mut Line) {
    let bytes = &block.shown[..usize::from(block.shown_len).min(block.shown.len())];
    if bytes.is_empty() {
        return;
    }
    line.text("; at ").text(if block.shown_at < 0 { "" } else { "+" }).signed(block.shown_at).text(":");
    for byte in bytes {
        line.text(" ").hex_digits(u64::from(byte >> 4)).hex_digits(u64::from(byte & 15));
    }
}

/// `definitely lost: 12 blocks, 480 bytes, and 3 blocks, 96 bytes, that only they point to; allocated by thread 12 "main"`.
fn leak(report: &Report, lost: &Lost, line: &mut Line) {
    line.text(class::name(lost.class)).text(": ");
    amount(lost.blocks, lost.bytes, line);
    if lost.indirect_blocks > 0 {
        line.text(", and ");
        amount(lost.indirect_blocks, lost.indirect_bytes, line);
        line.text(" that only ").text(if lost.blocks == 1 { "it points" } else { "they point" }).text(" to");
    }
    if let Some(party) = report.party(Role::Allocated) {
        line.text("; allocated by");
        name(party, line);
    }
    if lost.without_registers {
        line.text("; the registers of other threads could not be looked at");
    }
}

fn amount(blocks: u64, bytes: u64, line: &mut Line) {
    line.number(blocks).text(if blocks == 1 { " block, " } else { " blocks, " });
    line.number(bytes).text(if bytes == 1 { " byte" } else { " bytes" });
}
