//! Findings for spreadsheets: RFC 4180, one row per finding, with the call of each role.
//!
//! Why some cells begin with an apostrophe: a spreadsheet takes a cell that begins with `=`, `+`, `-`, `@` or a tab for a
//! formula, and the text is of the watched program's choosing. Text is escaped as for a terminal first, so that no cell
//! holds a line break.

use super::text::frame;
use super::{Render, Shown, owner, sentence, written};
use crate::escape::bytes;
use crate::fd_kind;
use crate::merge::{Merged, Stack};
use crate::symbolise::Symboliser;
use record::findings::Resource;
use record::kind::Role;
use record::text::until_nul;
use std::io::{self, Write};

const COLUMNS: [&str; 23] = [
    "kind",
    "severity",
    "count",
    "first",
    "program",
    "pid",
    "processes",
    "tid",
    "thread",
    "fd",
    "type",
    "local",
    "peer",
    "path",
    "owner",
    "message",
    "here",
    "closed",
    "opened",
    "victim",
    "allocated",
    "freed",
    "locked",
];

/// The roles of the last columns.
const ROLES: [Role; 7] =
    [Role::Here, Role::Closed, Role::Opened, Role::Victim, Role::Allocated, Role::Freed, Role::Locked];

pub struct Csv;

impl Render for Csv {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        row(&COLUMNS.map(str::to_owned), out)
    }

    fn finding(&mut self, found: &Merged, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
        let finding = &found.finding;
        let process = found.processes.first();
        let mut cells = vec![
            finding.kind.name().to_owned(),
            finding.severity.name().to_owned(),
            found.count.to_string(),
            super::time(found.first),
            process.map(|p| bytes(&p.program)).unwrap_or_default(),
            process.map(|p| p.pid.to_string()).unwrap_or_default(),
            (found.processes.len() + found.more_processes).to_string(),
            finding.tid.to_string(),
            bytes(until_nul(&finding.thread)),
        ];
        cells.extend(resource(found));
        cells.push(sentence(finding));
        cells.extend(ROLES.map(|role| {
            let stack = found.stacks.iter().find(|s| s.role == role);
            stack.and_then(|stack| top(stack, symbols)).unwrap_or_default()
        }));
        row(&cells, out)
    }

    fn end(&mut self, _shown: &Shown, _symbols: &mut Symboliser, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

fn resource(found: &Merged) -> [String; 6] {
    let (fd, kind, owner_kind, object) = match found.finding.resource {
        Resource::Descriptor { fd, kind, owner_kind, owner, .. } => (fd, kind, owner_kind, owner),
        Resource::Leak(leak) => (leak.fd, leak.kind, 0, 0),
        _ => return Default::default(),
    };
    let label = &found.finding.label;
    let path = if label.is_path() { written(|line| label.write_name(line)) } else { None };
    [
        fd.to_string(),
        fd_kind::name(kind).to_owned(),
        written(|line| {
            label.write_local(line);
        })
        .unwrap_or_default(),
        written(|line| {
            label.write_peer(line);
        })
        .unwrap_or_default(),
        path.unwrap_or_default(),
        owner(owner_kind, object).unwrap_or_default(),
    ]
}

/// The program's call, as the text shows it.
fn top(stack: &Stack, symbols: &mut Symboliser) -> Option<String> {
    let site = stack.frames.first()?;
    symbols.locate(site).first().map(|location| frame(location, site))
}

pub fn row(cells: &[String], out: &mut dyn Write) -> io::Result<()> {
    for (i, text) in cells.iter().enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        cell(text, out)?;
    }
    out.write_all(b"\r\n")
}

fn cell(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let formula = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if text.contains(['"', ',', '\n', '\r']) {
        write!(out, "\"{formula}{}\"", text.replace('"', "\"\""))
    } else {
        write!(out, "{formula}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let written = |text: &str| {
            let mut out = Vec::new();
            cell(text, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("plain"), "plain");
        assert_eq!(written("a \"b\", c"), "\"a \"\"b\"\", c\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"] {
            assert_eq!(written(formula), format!("'{formula}"));
        }
        assert_eq!(written("=A1,2"), "\"'=A1,2\"");
    }
}
