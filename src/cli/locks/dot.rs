//! The order graph for Graphviz: `shim locks --dot app.shim | dot -Tsvg`.
//!
//! One graph per process. An arrow goes from the lock that was held to the one that was taken; red is what lies in a ring,
//! dashed what was between locks that are no more.

use super::order::Order;
use super::table::{Name, Process};
use std::io::{self, Write};

pub fn write(process: &Process, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "digraph {} {{", quoted(&crate::target::who(&process.program, process.pid)))?;
    writeln!(out, "  node [shape=box, fontname=\"sans-serif\"];")?;
    for name in process.graph.locks() {
        let label = format!("{}\n{}", name.short(), name.kind());
        writeln!(out, "  {} [label={}];", id(name), quoted(&label))?;
    }
    for order in &process.graph.orders {
        writeln!(out, "  {} -> {} [{}];", id(&order.held), id(&order.taken), attributes(order))?;
    }
    writeln!(out, "}}")
}

fn id(name: &Name) -> String {
    format!("\"{:#x}\"", name.address)
}

fn attributes(order: &Order) -> String {
    let mut all = format!("label=\"{}\"", crate::size::count(order.count));
    if let Some(call) = order.taken_at.first() {
        all.push_str(&format!(", tooltip={}", quoted(&call.words())));
    }
    if order.in_ring {
        all.push_str(", color=red");
    }
    if order.ended {
        all.push_str(", style=dashed");
    }
    all
}

/// A quoted string of the DOT language, in which a backslash begins an escape.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push('?'),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_would_end_a_string_does_not() {
        assert_eq!(quoted("a\"]; b -> c [label=\"\\"), r#""a\"]; b -> c [label=\"\\""#);
        assert_eq!(quoted("one\ntwo\u{1b}[2J"), r#""one\ntwo?[2J""#);
    }
}
