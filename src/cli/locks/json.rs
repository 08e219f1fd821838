//! Locks for programs: one JSON object per line, told apart by `record`: the process, its locks, its orders.
//!
//! Times are ns. A key whose value is unknown is left out.

use super::table::{Call, Name, Process};
use crate::report::json::{Escaping, JsonFrame, frame, text};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct JsonProcess {
    record: &'static str,
    pid: u32,
    program: String,
    running: bool,
    locks: usize,
    orders: usize,
    beyond_tables: u64,
}

#[derive(Serialize)]
struct JsonName {
    address: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
}

#[derive(Serialize)]
struct JsonLock {
    record: &'static str,
    pid: u32,
    #[serde(flatten)]
    name: JsonName,
    taken: u64,
    taken_for_reading: u64,
    contended: u64,
    changed_hands: u64,
    waited: u64,
    waited_most: u64,
    held: u64,
    held_most: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    created: Vec<JsonFrame>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held_most_at: Vec<JsonFrame>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waited_most_at: Vec<JsonFrame>,
}

#[derive(Serialize)]
struct JsonOrder {
    record: &'static str,
    pid: u32,
    held: JsonName,
    taken: JsonName,
    held_for_reading: bool,
    taken_for_reading: bool,
    count: u64,
    tid: u32,
    ended: bool,
    in_ring: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held_at: Vec<JsonFrame>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    taken_at: Vec<JsonFrame>,
}

pub fn write(process: &Process, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    let pid = process.pid;
    let head = JsonProcess {
        record: "process",
        pid,
        program: text(&process.program),
        running: process.running,
        locks: process.rows.len(),
        orders: process.graph.orders.len(),
        beyond_tables: process.beyond,
    };
    line(&head, out)?;
    for row in process.rows.iter().take(limit) {
        let lock = &row.lock;
        let object = JsonLock {
            record: "lock",
            pid,
            name: name(&row.name),
            taken: lock.taken,
            taken_for_reading: lock.taken_read,
            contended: lock.contended,
            changed_hands: lock.changed_hands,
            waited: lock.waited,
            waited_most: lock.waited_most,
            held: lock.held,
            held_most: lock.held_most,
            created: frames(&row.created),
            held_most_at: frames(&row.held_most_at),
            waited_most_at: frames(&row.waited_most_at),
        };
        line(&object, out)?;
    }
    for order in process.graph.orders.iter().take(limit) {
        let object = JsonOrder {
            record: "order",
            pid,
            held: name(&order.held),
            taken: name(&order.taken),
            held_for_reading: order.held_for_reading,
            taken_for_reading: order.taken_for_reading,
            count: order.count,
            tid: order.tid,
            ended: order.ended,
            in_ring: order.in_ring,
            held_at: frames(&order.held_at),
            taken_at: frames(&order.taken_at),
        };
        line(&object, out)?;
    }
    Ok(())
}

fn name(of: &Name) -> JsonName {
    JsonName {
        address: format!("{:#x}", of.address),
        kind: of.kind(),
        variable: of.variable.clone(),
        module: of.module.as_deref().map(text),
    }
}

fn frames(calls: &[Call]) -> Vec<JsonFrame> {
    calls.iter().flat_map(|call| call.locations.iter().map(|location| frame(location, &call.site))).collect()
}

fn line(object: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Escaping);
    object.serialize(&mut serializer)?;
    writeln!(out)
}
