//! How the lost blocks of two snapshots compare.

use super::CHANGES;
use crate::look::words;
use crate::merge::Sites;
use crate::symbolise::Symboliser;
use record::heap::class;
use record::snapshot::{Lost, Snapshot};
use std::collections::HashMap;
use std::io::{self, Write};

/// Blocks and bytes of a class, of the lost ones with what only they lead to.
fn total(snapshot: &Snapshot, class: u8) -> (u64, u64) {
    snapshot
        .lost
        .iter()
        .filter(|lost| lost.class == class)
        .map(amount)
        .fold((0, 0), |(blocks, bytes), (more, by)| (u64::saturating_add(blocks, more), u64::saturating_add(bytes, by)))
}

fn amount(lost: &Lost) -> (u64, u64) {
    (lost.blocks.saturating_add(lost.indirect_blocks), lost.bytes.saturating_add(lost.indirect_bytes))
}

fn change(now: u64, was: u64) -> i64 {
    i64::try_from(now).unwrap_or(i64::MAX).saturating_sub_unsigned(was)
}

/// A line for each class, and for each place whose blocks have become more or fewer.
pub fn compare(
    first: &Snapshot,
    last: &Snapshot,
    sites: &mut Sites,
    symbols: &mut Symboliser,
    out: &mut dyn Write,
) -> io::Result<()> {
    if first.lost.is_empty() && last.lost.is_empty() {
        return Ok(());
    }
    let several = first.head.sequence != last.head.sequence;
    let before: HashMap<(u32, u8), &Lost> = first.lost.iter().map(|lost| ((lost.stack, lost.class), lost)).collect();
    let mut changes = Vec::new();
    for class in [class::DEFINITE, class::POSSIBLE] {
        let ((was, was_bytes), (now, bytes)) = (total(first, class), total(last, class));
        if was > 0 || now > 0 {
            let name = class::name(class);
            if several {
                writeln!(out, "heap: {was} → {now} blocks, {was_bytes} → {bytes} bytes {name}")?;
            } else {
                writeln!(out, "heap: {now} blocks, {bytes} bytes {name}")?;
            }
        }
        for lost in last.lost.iter().filter(|lost| several && lost.class == class) {
            let (was, was_bytes) = before.get(&(lost.stack, class)).map_or((0, 0), |lost| amount(lost));
            let (now, bytes) = amount(lost);
            if now != was || bytes != was_bytes {
                changes.push((change(bytes, was_bytes), change(now, was), lost));
            }
        }
    }
    changes.sort_by_key(|(bytes, _, lost)| (lost.class, std::cmp::Reverse(*bytes), lost.stack));
    for (bytes, blocks, lost) in changes.iter().take(CHANGES) {
        let place = words::opener(lost.stack, sites, symbols);
        let (name, now) = (class::name(lost.class), amount(lost).0);
        writeln!(out, "  {blocks:>+7} blocks, {bytes:+} bytes → {now}  {name}, allocated at {place}")?;
    }
    if changes.len() > CHANGES {
        writeln!(out, "  and {} more places that changed", changes.len() - CHANGES)?;
    }
    Ok(())
}
