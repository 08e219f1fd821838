//! A TOML file as tables of keys, each with its line.
//!
//! `toml_parser` reads it: it knows all of TOML, keeps places, and needs neither serde nor recursion that a file controls.
//! What it gives is a row of events; here they become the flat tables that rule files are made of, however they are written
//! (`[[tier]]`, `tier = [{…}]`, `options.verify = …`).
//!
//! Rules: a file with one error is none; the first error is told. Nothing here knows what the keys mean.

use super::number::quoted;
use crate::spec::{Complaint, Place};
use std::borrow::Cow;
use toml_parser::decoder::ScalarKind;
use toml_parser::parser::{Event, EventKind, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, Expected, ParseError, Source, Span};

/// Arrays in arrays, and tables in them.
const DEEPEST: u32 = 8;
/// A number or a date is not longer.
const LONGEST_WORD: usize = 64;

/// A table, or one of an array of tables.
#[derive(Debug)]
pub struct Table {
    /// With dots when it lies in another.
    pub name: String,
    pub line: u32,
    pub entries: Vec<Entry>,
    pub is_array: bool,
}

#[derive(Debug)]
pub struct Entry {
    pub key: String,
    pub line: u32,
    pub value: Value,
}

#[derive(Debug)]
pub enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<Value>),
    Table(Vec<Entry>),
    /// A kind of value that rule files do not have.
    Other(&'static str),
}

impl Value {
    /// For messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// All tables in their order; what stands before the first is in one without a name.
pub fn parse(text: &str, file: &str) -> Result<Vec<Table>, Complaint> {
    let mut lines = Lines { text, at: 0, line: 1 };
    let mut first: Option<ParseError> = None;
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let mut events: Vec<Event> = Vec::new();
    {
        let mut keep = |event: Event| {
            if !matches!(event.kind(), EventKind::Whitespace | EventKind::Newline | EventKind::Comment) {
                events.push(event);
            }
        };
        let mut valid = ValidateWhitespace::new(&mut keep, source);
        let mut guard = RecursionGuard::new(&mut valid, DEEPEST);
        parse_document(&tokens, &mut guard, &mut first);
    }
    drop(tokens);
    let mut builder = Builder { source, events: events.iter().peekable(), lines: &mut lines, error: first };
    let tables = if builder.error.is_none() { builder.document() } else { Vec::new() };
    match builder.error {
        None => Ok(tables),
        Some(error) => Err(complaint(text, file, &error)),
    }
}

fn complaint(text: &str, file: &str, error: &ParseError) -> Complaint {
    let span = error.unexpected().or(error.context()).unwrap_or_default();
    let line = Lines { text, at: 0, line: 1 }.of(span);
    let mut what = format!("not TOML: {}", error.description());
    let found = text.get(span.start()..span.end()).filter(|found| !found.trim().is_empty());
    if let Some(found) = found {
        what.push_str(&format!(" at {}", quoted(found.lines().next().unwrap_or_default())));
    }
    let mut expected = error.expected().unwrap_or_default().iter().map(|expected| match expected {
        Expected::Literal("\n") => "the end of the line".to_owned(),
        Expected::Literal(text) => quoted(text),
        Expected::Description(text) => (*text).to_owned(),
        _ => "something else".to_owned(),
    });
    if let Some(first) = expected.next() {
        what.push_str(&format!("; expected {first}"));
        expected.for_each(|other| what.push_str(&format!(" or {other}")));
    }
    Complaint { at: Place { file: file.to_owned(), line }, what }
}

/// The lines of ascending offsets.
struct Lines<'i> {
    text: &'i str,
    at: usize,
    line: u32,
}

impl Lines<'_> {
    fn of(&mut self, span: Span) -> u32 {
        let to = span.start().min(self.text.len());
        if to > self.at {
            let passed = &self.text.as_bytes()[self.at..to];
            self.line += passed.iter().filter(|b| **b == b'\n').count() as u32;
            self.at = to;
        }
        self.line
    }
}

struct Builder<'i, 'e> {
    source: Source<'i>,
    events: std::iter::Peekable<std::slice::Iter<'e, Event>>,
    lines: &'e mut Lines<'i>,
    error: Option<ParseError>,
}

impl Builder<'_, '_> {
    fn document(&mut self) -> Vec<Table> {
        let mut tables = vec![Table { name: String::new(), line: 1, entries: Vec::new(), is_array: false }];
        while let Some(event) = self.events.next() {
            match event.kind() {
                kind @ (EventKind::StdTableOpen | EventKind::ArrayTableOpen) => {
                    let line = self.lines.of(event.span());
                    let name = self.key();
                    let is_array = kind == EventKind::ArrayTableOpen;
                    tables.push(Table { name, line, entries: Vec::new(), is_array });
                }
                EventKind::SimpleKey => {
                    let entry = self.entry(event);
                    if let Some(table) = tables.last_mut() {
                        table.entries.push(entry);
                    }
                }
                _ => {}
            }
        }
        tables
    }

    /// A key with its dots, whose first part is the event.
    fn key_from(&mut self, event: &Event) -> String {
        let mut key = self.part(event);
        while self.events.next_if(|e| e.kind() == EventKind::KeySep).is_some() {
            if let Some(event) = self.events.next_if(|e| e.kind() == EventKind::SimpleKey) {
                key.push('.');
                key.push_str(&self.part(event));
            }
        }
        key
    }

    fn key(&mut self) -> String {
        self.events.next_if(|e| e.kind() == EventKind::SimpleKey).map(|e| self.key_from(e)).unwrap_or_default()
    }

    fn part(&mut self, event: &Event) -> String {
        let mut text = Cow::Borrowed("");
        if let Some(raw) = self.source.get(event) {
            raw.decode_key(&mut text, &mut self.error);
        }
        text.into_owned()
    }

    fn entry(&mut self, event: &Event) -> Entry {
        let line = self.lines.of(event.span());
        let key = self.key_from(event);
        self.events.next_if(|e| e.kind() == EventKind::KeyValSep);
        Entry { key, line, value: self.value() }
    }

    fn value(&mut self) -> Value {
        let Some(event) = self.events.next() else { return Value::Other("nothing") };
        match event.kind() {
            EventKind::Scalar => self.scalar(event),
            EventKind::ArrayOpen => {
                let mut list = Vec::new();
                while let Some(event) = self.events.peek() {
                    match event.kind() {
                        EventKind::ArrayClose => {
                            self.events.next();
                            break;
                        }
                        EventKind::ValueSep => drop(self.events.next()),
                        _ => list.push(self.value()),
                    }
                }
                Value::List(list)
            }
            EventKind::InlineTableOpen => {
                let mut entries = Vec::new();
                while let Some(event) = self.events.next() {
                    match event.kind() {
                        EventKind::InlineTableClose => break,
                        EventKind::SimpleKey => entries.push(self.entry(event)),
                        _ => {}
                    }
                }
                Value::Table(entries)
            }
            _ => Value::Other("nothing"),
        }
    }

    fn scalar(&mut self, event: &Event) -> Value {
        let Some(raw) = self.source.get(event) else { return Value::Other("nothing") };
        if event.encoding().is_none() && raw.len() > LONGEST_WORD {
            // The decoder recurses for each sign before a number.
            self.error
                .report_error(ParseError::new("a word that is neither a number nor a date").with_context(event.span()));
            return Value::Other("nothing");
        }
        let mut text = Cow::Borrowed("");
        match raw.decode_scalar(&mut text, &mut self.error) {
            ScalarKind::String => Value::Text(text.into_owned()),
            ScalarKind::Boolean(flag) => Value::Flag(flag),
            ScalarKind::Integer(radix) => match i64::from_str_radix(&text, radix.value()) {
                Ok(number) => Value::Number(number),
                Err(_) => Value::Other("a number that is too large"),
            },
            ScalarKind::Float => Value::Other("a fraction"),
            ScalarKind::DateTime => Value::Other("a date"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(text: &str) -> Vec<Table> {
        parse(text, "t").unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn tables_keys_and_lines() {
        let found = tables(
            "a = 1 # c\n[options]\nverify = \"exit\"\n[[tier]]\nname = 'x'\nlist = [\n 'a',\n 2,\n]\nb = {c.d = true}\n",
        );
        let shape: Vec<_> = found.iter().map(|t| (t.name.as_str(), t.line, t.entries.len(), t.is_array)).collect();
        assert_eq!(shape, [("", 1, 1, false), ("options", 2, 1, false), ("tier", 4, 3, true)]);
        assert_eq!(found[2].entries.iter().map(|e| e.line).collect::<Vec<_>>(), [5, 6, 10]);
        assert!(matches!(&found[2].entries[1].value, Value::List(l) if l.len() == 2));
        assert!(matches!(&found[2].entries[2].value, Value::Table(e) if e[0].key == "c.d"));
    }

    #[test]
    fn errors_name_the_line() {
        for (text, said) in [
            ("[[tier]]\nname = \n", "t:2: not TOML: "),
            ("[tier\n", "t:1: not TOML: unclosed table; expected ']'"),
            ("a = 1\nb\n", "t:2: not TOML: key with no value"),
            ("a = \"\\q\"\n", "t:1: not TOML: "),
            ("# \u{1}\n", "t:1: not TOML: "),
        ] {
            let error = parse(text, "t").map(|_| ()).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn hostile_files_end() {
        for text in ["a = [", "a = {b=", "[", "a.", "{", "\"", "'''", "a = +"] {
            let _ = parse(&text.repeat(100_000), "t");
            let _ = parse(&format!("a = {}", text.repeat(100_000)), "t");
        }
        assert!(parse(&format!("a = {}1", "+".repeat(1 << 20)), "t").is_err());
        assert!(parse(&format!("a = \"{}\"", "x".repeat(1 << 20)), "t").is_ok());
    }
}
