//! A suppressions file, applied to merged findings: by the command, which knows functions, files and lines.
//!
//! What the process has already decided stays decided, with whatever file it had; the rest is decided here. The first line
//! of the file that matches is the one that is used. A line that nothing used is listed: it hides nothing, so it can go.

use crate::escape::{bytes, shown};
use crate::files;
use crate::merge::{Merge, Merged};
use crate::message::{reason, say};
use crate::symbolise::Symboliser;
use record::kind::Severity;
use record::suppressions::{MAX_LEN, Suppression, fingerprint, parse};
use record::text::Line;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

#[derive(Default)]
pub struct Suppressions {
    path: PathBuf,
    text: Vec<u8>,
    /// For each good line, whether it was the first that matched something.
    used: Vec<bool>,
    /// Findings that were taken out: those that a user is shown at once, and the others.
    taken: usize,
    infos: usize,
    /// Lines that are not understood, each as `FILE:LINE: what, expected what`.
    pub problems: Vec<String>,
}

impl Suppressions {
    /// Without a file only what the processes decided is suppressed. The error is the `why` of `shim: FILE: why`.
    pub fn read(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self::default()) };
        let why = |e: io::Error| format!("{}: {}", shown(path), reason(&e));
        let (file, _) = files::open(path).map_err(why)?;
        let mut text = Vec::new();
        file.take(MAX_LEN as u64 + 1).read_to_end(&mut text).map_err(why)?;
        if text.len() > MAX_LEN {
            return Err(format!("{}: longer than 1 MiB", shown(path)));
        }
        let mut this = Self { path: path.to_owned(), ..Self::default() };
        for line in parse(&text) {
            match line {
                Ok(_) => this.used.push(false),
                Err((number, problem)) => {
                    let mut buffer = [0; 512];
                    let mut line = Line::new(&mut buffer);
                    problem.write(&mut line);
                    let why = String::from_utf8_lossy(line.as_bytes()).into_owned();
                    this.problems.push(format!("suppressions {}:{number}: {why}", shown(path)));
                }
            }
        }
        this.text = text;
        Ok(this)
    }

    /// Tells what is wrong with the file. False: nothing is.
    pub fn complain(&self) -> bool {
        self.problems.iter().for_each(say);
        !self.problems.is_empty()
    }

    /// Takes out what is suppressed.
    pub fn apply(&mut self, merge: &mut Merge, symbols: &mut Symboliser) {
        let own = fingerprint(&self.text);
        let lines: Vec<Suppression> = parse(&self.text).flatten().collect();
        let (used, mut taken, mut infos) = (&mut self.used, 0, 0);
        merge.take_out(|found| {
            let mark = found.finding.suppressed;
            let here = lines.iter().position(|line| matches(line, found, symbols));
            let there = mark.index().filter(|_| mark.fingerprint() == own);
            if let Some(used) = here.or(there).and_then(|index| used.get_mut(index)) {
                *used = true;
            }
            let out = here.is_some() || !mark.is_none();
            *if found.finding.severity == Severity::Info { &mut infos } else { &mut taken } += usize::from(out);
            out
        });
        self.taken += taken;
        self.infos += infos;
    }

    /// Was anything taken out that a user is shown at once?
    pub fn any_shown(&self) -> bool {
        self.taken > 0
    }

    /// How many there were, and which lines nothing used; each line begins with `prefix`. Nothing when there is nothing.
    pub fn write(&self, infos: bool, prefix: &str, out: &mut dyn Write) -> io::Result<()> {
        let count = self.taken + if infos { self.infos } else { 0 };
        if count > 0 {
            writeln!(out, "{prefix}{count} {} suppressed", if count == 1 { "finding" } else { "findings" })?;
        }
        let unused = parse(&self.text).flatten().zip(&self.used).filter(|(_, used)| !**used);
        for (line, _) in unused {
            let path = bytes(self.path.as_os_str().as_bytes());
            writeln!(out, "{prefix}unused suppression {path}:{}: {}", line.line, bytes(line.text))?;
        }
        Ok(())
    }

    pub fn says_something(&self, infos: bool) -> bool {
        self.taken > 0 || infos && self.infos > 0 || self.used.contains(&false)
    }
}

fn matches(line: &Suppression, found: &Merged, symbols: &mut Symboliser) -> bool {
    if !line.matches_kind(found.finding.kind.name()) {
        return false;
    }
    let mut sites = found.stacks.iter().flat_map(|stack| &stack.frames);
    !line.wants_frame()
        || sites.any(|site| {
            let module = site.module.as_ref().map(|m| &m.path[..]);
            if !line.wants_symbols() || !line.matches_module(module) {
                return line.matches_frame(module, [None; 2], || [None; 2]);
            }
            symbols.locate(site).iter().any(|location| {
                let text = |t: &'_ Option<String>| t.as_ref().map(|t| t.as_bytes().to_vec());
                let functions = [text(&location.function), text(&location.symbol)];
                let file = location.file.as_ref().map(|f| f.as_bytes());
                let path = location.path.as_ref().map(|p| p.as_os_str().as_bytes());
                line.matches_frame(module, [file, path], || [functions[0].as_deref(), functions[1].as_deref()])
            })
        })
}
