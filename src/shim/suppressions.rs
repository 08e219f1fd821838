//! `suppressions=FILE`: read once at start, asked for each new finding.
//!
//! Place in the flow: `finding` asks [`decide`] while it files; what is suppressed is counted in the recording, and neither
//! printed, nor an error, nor a reason to abort. It is protected against all the same.
//!
//! What can be decided here: modules, and functions that the module exports, by their linked names. A suppression that asks for
//! a file, or for a static function, matches nothing here; the command knows more, and decides then.
//!
//! Rules: the file is bounded; it is read with raw calls, before any other hook runs; matching allocates nothing.

use crate::message;
use crate::thread::Scope;
use crate::{options, recording, symbols, text_file, unwind};
use once_cell::race::OnceBox;
use record::findings::Report;
use record::stacks::{Frame, MAX_FRAMES};
use record::suppressions::{MAX_LEN, Mark, Suppression, fingerprint, parse};
use record::text::Line;

struct List {
    lines: Vec<Suppression<'static>>,
    fingerprint: u32,
}

static LIST: OnceBox<List> = OnceBox::new();

/// Longest path of a module that is compared.
const PATH: usize = 4096;

/// Reads the file, when there is one. Once, by the thread that starts us.
pub fn load() {
    let path = options::paths().map_or(&b""[..], |p| &p.suppressions[..]);
    if path.is_empty() {
        return;
    }
    let text = match read(path) {
        Ok(text) => text,
        Err(why) => {
            let mut buffer = [0; 512];
            let mut line = Line::new(&mut buffer);
            line.text("shim: suppressions=").foreign(path).text(": ").text(why).text("; nothing is suppressed\n");
            message::say(line.as_bytes());
            return;
        }
    };
    // Kept for the life of the process.
    let text: &'static [u8] = text.leak();
    let mut lines = Vec::new();
    for line in parse(text) {
        match line {
            Ok(good) => lines.push(good),
            Err((number, problem)) => {
                let mut buffer = [0; 512];
                let mut line = Line::new(&mut buffer);
                line.text("shim: suppressions ").foreign(&path[path.len().saturating_sub(256)..]);
                line.text(":").number(u64::from(number)).text(": ");
                problem.write(&mut line);
                line.text("\n");
                message::say(line.as_bytes());
            }
        }
    }
    LIST.get_or_init(|| Box::new(List { lines, fingerprint: fingerprint(text) }));
}

fn read(path: &[u8]) -> Result<Vec<u8>, &'static str> {
    let text = text_file::read(path, MAX_LEN)?;
    if text.len() > MAX_LEN { Err("longer than 1 MiB") } else { Ok(text) }
}

/// Does the user want to hear of it? The first suppression of the file that matches. The scope's text is scratch.
pub fn decide(scope: &mut Scope, report: &Report) -> Mark {
    let Some(list) = LIST.get() else { return Mark::NONE };
    let of_kind = |line: &&Suppression| line.matches_kind(report.kind.name());
    // Those after one that matches need not be asked.
    let mut end = list.lines.iter().position(|l| !l.wants_frame() && of_kind(&l)).unwrap_or(list.lines.len());
    let found = end < list.lines.len();
    let mut best = found.then_some(end);
    let modules = unwind::modules(scope.state);
    let path = &mut scope.inner().text[..PATH];
    for party in report.parties.iter().filter(|p| p.role.is_some()) {
        let mut frames = [0; MAX_FRAMES];
        let len = record::stacks::load(&recording::RECORDING, party.stack, &mut frames);
        for frame in frames[..len].iter().map(|f| Frame(*f)) {
            if end == 0 {
                break;
            }
            let Some(index) = frame.module() else { continue };
            let len = record::modules::path(&recording::RECORDING, index, path);
            let offset = frame.offset().saturating_sub(1);
            let mut name = None;
            let mut names = || {
                let object = || modules.and_then(|m| m.by_record(index));
                let found = *name.get_or_insert_with(|| object().and_then(|o| symbols::find(o, offset)));
                [found.map(|(name, _)| name), None]
            };
            let lines = list.lines[..end].iter().enumerate().filter(|(_, line)| line.wants_frame() && of_kind(line));
            let mut matching = lines.filter(|(_, line)| line.matches_frame(Some(&path[..len]), [None; 2], &mut names));
            if let Some((index, _)) = matching.next() {
                (end, best) = (index, Some(index));
            }
        }
    }
    best.map_or(Mark::NONE, |index| Mark::new(list.fingerprint, index))
}
