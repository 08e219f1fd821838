//! OpenMetrics text 1.0: families with their metadata, label values escaped, one `# EOF`.
//!
//! Rules of the format that are kept here: a family's samples stand together, no two of them with the same labels; the samples of
//! a counter end in `_total`, those of an info in `_info`; a unit ends the family's name; labels that are empty are left
//! out, which means the same.
//!
//! Text of the watched program passes [`crate::escape`] first, so that a page that somebody reads in a terminal stays text,
//! and is then escaped for the format.

use crate::escape::bytes;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Gauge,
    Counter,
    Info,
}

impl Type {
    const fn name(self) -> &'static str {
        match self {
            Type::Gauge => "gauge",
            Type::Counter => "counter",
            Type::Info => "info",
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Type::Gauge => "",
            Type::Counter => "_total",
            Type::Info => "_info",
        }
    }
}

/// Labels in the order in which they are written.
pub type Labels = Vec<(&'static str, String)>;

/// A family under construction.
pub struct Family {
    name: &'static str,
    kind: Type,
    unit: &'static str,
    help: &'static str,
    seen: BTreeSet<Labels>,
    samples: Vec<(Labels, f64)>,
}

impl Family {
    pub fn new(name: &'static str, kind: Type, help: &'static str) -> Self {
        Self { name, kind, unit: "", help, seen: BTreeSet::new(), samples: Vec::new() }
    }

    /// The unit, with which the name must end.
    pub fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// Adds a sample; to one of the same labels, its value.
    pub fn add(&mut self, labels: Labels, value: f64) {
        if self.seen.insert(labels.clone()) {
            self.samples.push((labels, value));
        } else if let Some((_, sum)) = self.samples.iter_mut().find(|(l, _)| *l == labels) {
            *sum += value;
        }
    }

    /// Writes the family; nothing when it has no sample.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.samples.is_empty() {
            return Ok(());
        }
        writeln!(out, "# TYPE {} {}", self.name, self.kind.name())?;
        if !self.unit.is_empty() {
            writeln!(out, "# UNIT {} {}", self.name, self.unit)?;
        }
        writeln!(out, "# HELP {} {}", self.name, self.help)?;
        for (labels, value) in &self.samples {
            // The format has a word of its own for it.
            let value = if value.is_infinite() { "+Inf".to_owned() } else { value.to_string() };
            writeln!(out, "{}{}{} {value}", self.name, self.kind.suffix(), braces(labels))?;
        }
        Ok(())
    }
}

fn braces(labels: &Labels) -> String {
    let mut text = String::new();
    for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        let separator = if text.is_empty() { '{' } else { ',' };
        write!(text, "{separator}{name}=\"{}\"", escaped(value)).ok();
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

/// Made safe for a terminal, then for the format.
fn escaped(value: &str) -> String {
    bytes(value.as_bytes()).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family() {
        let mut family = Family::new("a_seconds", Type::Counter, "Some help.").unit("seconds");
        family.add(vec![("x", "a\"b\\c\nd\u{1b}".into()), ("y", String::new())], 1.0);
        family.add(vec![], 2.5);
        family.add(vec![], 1.0);
        family.add(vec![("y", "z".into())], f64::INFINITY);
        let mut out = Vec::new();
        family.write(&mut out).unwrap();
        let expected = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds Some help.\n\
            a_seconds_total{x=\"a\\\"b\\\\c\\\\x0ad\\\\x1b\"} 1\na_seconds_total 3.5\na_seconds_total{y=\"z\"} +Inf\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
