//! `shim suppress`: from a report to the suppressions file that leaves nothing of it.
//!
//! Each line is as narrow as the format allows: the kind, and the function and the module of the program's own call. A comment
//! above it says what was found. Functions stand as they were linked, so that the process can decide, too, where the
//! function is exported; what the linker's name means is behind it.

use crate::args::SuppressArgs;
use crate::escape::{bytes, shown};
use crate::merge::{Merge, Merged, Site};
use crate::message::{Failure, exit, reason, say};
use crate::recordings;
use crate::report::sentence;
use crate::suppressions::Suppressions;
use crate::symbolise::Symboliser;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

pub fn suppress(args: SuppressArgs) -> Result<ExitCode, Failure> {
    let mut known = Suppressions::read(args.suppressions.as_deref()).map_err(|why| Failure::new(exit::PARTLY, why))?;
    let found = recordings::find(&args.paths);
    let mut problems = !found.problems.is_empty() | known.complain();
    found.problems.iter().for_each(say);
    let mut merge = Merge::default();
    for path in &found.files {
        match recordings::load(path) {
            Ok(recording) => merge.add(&recording),
            Err(why) => {
                problems = true;
                say(format!("{}: {why}", shown(path)));
            }
        }
    }
    let mut symbols = Symboliser::default();
    known.apply(&mut merge, &mut symbols);
    let text = file(&mut merge, &mut symbols);
    symbols.take_problems().iter().for_each(say);
    match &args.output {
        Some(path) => std::fs::write(path, text)
            .map_err(|e| Failure::new(exit::PARTLY, format!("{}: {}", shown(path), reason(&e))))?,
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()?;
        }
    }
    Ok(if problems { ExitCode::from(exit::PARTLY) } else { ExitCode::SUCCESS })
}

fn file(merge: &mut Merge, symbols: &mut Symboliser) -> String {
    let mut text = String::new();
    let mut written = BTreeSet::new();
    for found in merge.findings() {
        let (line, meaning) = line(found, symbols);
        if written.insert(line.clone()) {
            let meaning = meaning.map(|m| format!("  # {}", bytes(m.as_bytes()))).unwrap_or_default();
            writeln!(text, "# {}: {}", found.finding.severity.name(), sentence(&found.finding)).ok();
            writeln!(text, "{line}{meaning}").ok();
        }
    }
    text
}

/// What is known of a stack's innermost call.
struct Call {
    /// As linked.
    function: Option<String>,
    /// As its language writes it, when that is something else.
    meaning: Option<String>,
    /// The last part of the path.
    module: Vec<u8>,
}

impl Call {
    fn of(site: &Site, symbols: &mut Symboliser) -> Self {
        let locations = symbols.locate(site);
        // Where functions were inlined, the one that makes the call: the process does not know it, but it is the narrowest.
        let location = locations.first();
        let function = location.and_then(|l| l.symbol.clone().or(l.function.clone())).filter(|f| !f.is_empty());
        let meaning = location.and_then(|l| l.function.clone()).filter(|m| Some(m) != function.as_ref());
        let path = site.module.as_ref().map_or(&b""[..], |m| &m.path);
        let module = path.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec();
        Self { function, meaning, module }
    }

    /// The best is the program's own function; libc is everybody's.
    fn rank(&self) -> (bool, bool, bool) {
        let everybodys = [&b"libc.so."[..], b"libpthread.so.", b"ld-linux"].iter().any(|l| self.module.starts_with(l));
        (everybodys || self.module.is_empty(), self.function.is_none(), self.module.is_empty())
    }
}

/// The narrowest line that matches, and what its function means.
fn line(found: &Merged, symbols: &mut Symboliser) -> (String, Option<String>) {
    let mut line = found.finding.kind.name().to_owned();
    let innermost = found.stacks.iter().filter_map(|stack| stack.frames.first());
    let calls: Vec<Call> = innermost.map(|site| Call::of(site, symbols)).collect();
    // Of equals the first: the one who did it.
    let Some(call) = calls.into_iter().min_by_key(Call::rank) else { return (line, None) };
    if let Some(function) = &call.function {
        write!(line, " function={}", pattern(function.as_bytes())).ok();
    }
    if !call.module.is_empty() {
        write!(line, " module={}", pattern(&call.module)).ok();
    }
    (line, call.meaning)
}

/// A glob that matches this text and as little else as can be: a byte that cannot stand in a line is any byte.
fn pattern(text: &[u8]) -> String {
    let mut glob = String::new();
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            let plain = !matches!(c, '*' | '?') && bytes(c.encode_utf8(&mut [0; 4]).as_bytes()) == c.to_string();
            if plain { glob.push(c) } else { glob.extend(std::iter::repeat_n('?', c.len_utf8())) }
        }
        glob.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    if glob.contains([' ', '"']) {
        return format!("\"{}\"", glob.replace('\\', "\\\\").replace('"', "\\\""));
    }
    glob
}

#[cfg(test)]
mod tests {
    use super::pattern;
    use record::suppressions::Glob;

    #[test]
    fn a_pattern_matches_what_it_was_made_of() {
        for (text, expected) in [
            (&b"main"[..], "main"),
            (b"operator*(A const&, B)", "\"operator?(A const&, B)\""),
            (b"a\nb\xff\"\\ ", "\"a?b?\\\"\\\\ \""),
            (b"C:\\x", "C:\\x"),
            ("Grüße\u{202e}".as_bytes(), "Grüße???"),
        ] {
            let glob = pattern(text);
            assert_eq!(glob, expected);
            assert!(Glob::parse(glob.as_bytes()).unwrap().matches(text), "{glob}");
        }
    }
}
