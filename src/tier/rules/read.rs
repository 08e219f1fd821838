//! A rule file: tables become tiers and rules.
//!
//! Two passes: first the tiers, because rules and other tiers name them; then the rules. A table with a fault is left out,
//! and what names a tier that was left out is left out with it.

mod fields;
mod tiers;

use super::document::{self, Entry, Table, Value};
use super::glob::Glob;
use super::nearest::nearest;
use super::number::{self, Fault, Window, quoted};
use super::policy::{Options, Parts, Policy, Verify};
use super::rule::{Limit, Rule, Site, Sites};
use super::vocabulary::{FilePattern, FunctionId, ModuleId, ModulePattern, Vocabulary};
use super::{DEEPEST, Faults, LONGEST_FILE, MOST_RULES, Reading, shadow};
use crate::spec::{Full, Place};
use fields::{chosen, glob, list, size, text};

const RULE_KEYS: [&str; 11] =
    ["name", "tier", "size", "function", "within", "site", "stack", "module", "thread", "rank", "limit"];
const TABLES: [&str; 3] = ["options", "tier", "rule"];
const SITE: &str = "\"FILE:LINE\" or \"MODULE+0xOFFSET\"";

impl Policy {
    /// Reads a rule file. `name` is what the user calls it.
    pub fn read(file: &[u8], name: &str) -> Reading {
        let mut faults = Faults::of(name);
        let policy = read(file, &mut faults);
        Reading { policy, complaints: faults.into_list() }
    }
}

fn read(file: &[u8], faults: &mut Faults) -> Option<Policy> {
    if file.len() > LONGEST_FILE {
        faults.add(0, "longer than 4 MiB", "a shorter rule file");
        return None;
    }
    let text = match std::str::from_utf8(file) {
        Ok(text) => text,
        Err(error) => {
            let line = file[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() as u32 + 1;
            faults.add(line, "not UTF-8", "a text");
            return None;
        }
    };
    let tables = match document::parse(text, &faults.file) {
        Ok(tables) => flat(tables, faults),
        Err(complaint) => {
            faults.list.push(complaint);
            return None;
        }
    };
    let tiers = tiers::read(tables.iter().filter(|table| table.name == "tier"), faults);
    let mut options = None;
    let mut reader = Rules { tiers: &tiers, vocabulary: Vocabulary::default(), rules: Vec::new(), orphans: Vec::new() };
    for table in tables.iter().filter(|table| table.name == "options") {
        match options {
            None => options = Some(read_options(table, faults)),
            Some(_) => faults.add(table.line, "a second [options]", "one"),
        }
    }
    for table in tables.iter().filter(|table| table.name == "rule") {
        if !reader.add(table, faults) {
            break;
        }
    }
    let Rules { vocabulary, rules, orphans, .. } = reader;
    for (tier, line) in &tiers.missing {
        let count = orphans.iter().filter(|orphan| *orphan == tier).count();
        match count {
            0 => {}
            1 => faults.say(*line, format!("a rule is left out with tier {}", quoted(tier))),
            _ => faults.say(*line, format!("{count} rules are left out with tier {}", quoted(tier))),
        }
    }
    shadow::complain(&rules, &vocabulary, faults);
    let accounts = rules.iter().filter(|rule| rule.limit.is_some()).count() as u16;
    let options = options.unwrap_or_default();
    Some(Policy::new(Parts { tiers: tiers.specs, options, rules, vocabulary, recorded: None, accounts }))
}

/// `tier = [{…}]` and `options = {…}` are tables, too; anything else outside of tables is told.
fn flat(tables: Vec<Table>, faults: &mut Faults) -> Vec<Table> {
    let mut all = Vec::with_capacity(tables.len());
    for mut table in tables {
        if table.name.is_empty() {
            let mut options = Table { name: "options".to_owned(), line: 0, entries: Vec::new(), is_array: false };
            for entry in table.entries.drain(..) {
                root_entry(entry, &mut options, &mut all, faults);
            }
            if !options.entries.is_empty() {
                all.push(options);
            }
            continue;
        }
        match table.name.as_str() {
            "options" if table.is_array => faults.add(table.line, "[[options]]", "[options]"),
            "tier" | "rule" if !table.is_array => {
                faults.add(
                    table.line,
                    &format!("[{}]", table.name),
                    &format!("[[{}]], because there may be several", table.name),
                );
            }
            "options" | "tier" | "rule" => all.push(table),
            other => unknown(table.line, "table", other, &TABLES, faults),
        }
    }
    all
}

fn root_entry(entry: Entry, options: &mut Table, all: &mut Vec<Table>, faults: &mut Faults) {
    let Entry { key, line, value } = entry;
    match (key.as_str(), value) {
        ("options", Value::Table(entries)) => all.push(Table { name: key, line, entries, is_array: false }),
        ("tier" | "rule", Value::List(list)) => {
            for value in list {
                match value {
                    Value::Table(entries) => {
                        let line = entries.first().map_or(line, |entry| entry.line);
                        all.push(Table { name: key.clone(), line, entries, is_array: true });
                    }
                    other => faults.add(line, &format!("{} in the list of {key}s", other.kind()), "tables"),
                }
            }
        }
        (dotted, value) if dotted.starts_with("options.") => {
            options.line = line;
            let key = dotted["options.".len()..].to_owned();
            options.entries.push(Entry { key, line, value });
        }
        (other, _) => unknown(line, "key", other, &TABLES, faults),
    }
}

fn unknown(line: u32, what: &str, word: &str, known: &[&str], faults: &mut Faults) {
    let expected = match nearest(word, known) {
        Some(near) => near.to_owned(),
        None => known.join(", "),
    };
    faults.add(line, &format!("unknown {what} {}", quoted(word)), &expected);
}

/// Each entry once, with a known key, to a function that reads it. False: there was a fault.
fn each<'t>(
    table: &'t Table,
    known: &[&str],
    faults: &mut Faults,
    mut read: impl FnMut(&'t str, &'t Value) -> Result<(), Fault>,
) -> bool {
    let mut good = true;
    let mut seen: Vec<&str> = Vec::new();
    for Entry { key, line, value } in &table.entries {
        if !known.contains(&key.as_str()) {
            unknown(*line, "key", key, known, faults);
            good = false;
        } else if seen.contains(&key.as_str()) {
            faults.add(*line, &format!("a second {key}"), "each key once");
            good = false;
        } else {
            seen.push(key);
            if let Err((what, expected)) = read(key, value) {
                faults.add(*line, &what, expected);
                good = false;
            }
        }
    }
    good
}

fn read_options(table: &Table, faults: &mut Faults) -> Options {
    let mut options = Options::default();
    each(table, &["verify"], faults, |key, value| {
        let choices = [("exit", Verify::Exit), ("free", Verify::Free), ("off", Verify::Off)];
        options.verify = chosen(key, value, &choices, "exit, free or off")?;
        Ok(())
    });
    options
}

struct Rules<'a> {
    tiers: &'a tiers::Tiers,
    vocabulary: Vocabulary,
    rules: Vec<Rule>,
    /// Tiers that were left out, once for each rule that names them.
    orphans: Vec<String>,
}

/// What a table says, before it is a rule.
#[derive(Default)]
struct Said<'t> {
    name: Option<&'t str>,
    tier: Option<&'t str>,
    size: Option<Window>,
    function: Option<Glob>,
    within: Option<Glob>,
    site: Option<Vec<SaidSite>>,
    stack: Option<Vec<SaidSite>>,
    module: Option<ModulePattern>,
    thread: Option<Glob>,
    rank: Option<Vec<(u32, u32)>>,
    limit: Option<u64>,
}

enum SaidSite {
    Any,
    Line(FilePattern, u32),
    Code(ModulePattern, u64),
}

impl Rules<'_> {
    /// False: no more rules are read.
    fn add(&mut self, table: &Table, faults: &mut Faults) -> bool {
        if self.rules.len() == MOST_RULES {
            faults.add(table.line, "more than 1024 rules", "at most 1024; this one and the rest are left out");
            return false;
        }
        let mut said = Said::default();
        let mut good = each(table, &RULE_KEYS, faults, |key, value| said.read(key, value));
        if said.site.is_some() && said.stack.is_some() {
            faults.add(table.line, "both site and stack", "one of them");
            good = false;
        }
        let tier = match said.tier {
            None => {
                let is_told = table.entries.iter().any(|entry| entry.key == "tier");
                if !is_told {
                    faults.add(table.line, "a rule without a tier", "tier = a tier, or \"heap\"");
                }
                None
            }
            Some(name) => match self.tiers.index(name) {
                Some(index) => Some(index),
                None if self.tiers.missing.iter().any(|(missing, _)| missing == name) => {
                    if good {
                        self.orphans.push(name.to_owned());
                    }
                    None
                }
                None => {
                    let line = table.entries.iter().find(|entry| entry.key == "tier").map_or(table.line, |e| e.line);
                    unknown(line, "tier", name, &self.tiers.names(), faults);
                    None
                }
            },
        };
        if good && said.limit.is_some() && tier == Some(0) {
            faults.add(table.line, "a limit in a rule for the heap", "a limit where another tier is used");
            good = false;
        }
        if let (true, Some(tier)) = (good, tier) {
            let number = self.rules.len() as u16;
            let at = faults.place(table.line);
            self.finish(said, tier, number, at);
        }
        true
    }

    fn finish(&mut self, said: Said<'_>, tier: u16, number: u16, at: Place) {
        let vocabulary = &mut self.vocabulary;
        let sites: Vec<Site> = said
            .stack
            .or(said.site)
            .unwrap_or_default()
            .into_iter()
            .map(|site| match site {
                SaidSite::Any => Site::Any,
                SaidSite::Line(file, line) => Site::Line { file: vocabulary.file(file), line },
                SaidSite::Code(module, address) => Site::Code { module: vocabulary.module(module), address },
            })
            .collect();
        let beyond = self.tiers.specs.get(usize::from(tier)).map_or(Full::Heap, |spec| spec.full);
        let account = self.rules.iter().filter(|rule| rule.limit.is_some()).count() as u16;
        let mut function = |glob: Option<Glob>| -> Option<FunctionId> { glob.map(|glob| vocabulary.function(glob)) };
        let (function, within) = (function(said.function), function(said.within));
        let module: Option<ModuleId> = said.module.map(|module| self.vocabulary.module(module));
        self.rules.push(Rule {
            name: said.name.map_or_else(|| format!("rule {}", number + 1), str::to_owned),
            at,
            tier,
            limit: said.limit.map(|bytes| Limit { bytes, account, beyond }),
            sizes: said.size.unwrap_or(Window::ALL),
            function,
            module,
            sites: if sites.is_empty() { Sites::Anywhere } else { Sites::From(sites) },
            within,
            thread: said.thread,
            rank: said.rank,
            decisions: 0,
        });
    }
}

impl<'t> Said<'t> {
    fn read(&mut self, key: &'t str, value: &'t Value) -> Result<(), Fault> {
        match key {
            "name" => self.name = Some(fields::name(key, value)?),
            "tier" => self.tier = Some(text(key, value, "the name of a tier, or \"heap\"")?),
            "size" => {
                self.size = Some(match value {
                    Value::Number(_) => {
                        let exactly = size(key, value)?;
                        Window { first: exactly, last: exactly }
                    }
                    _ => number::window(text(key, value, "\"1M..64M\"")?)?,
                })
            }
            "function" => self.function = Some(glob(key, value)?),
            "within" => self.within = Some(glob(key, value)?),
            "thread" => self.thread = Some(glob(key, value)?),
            "site" => self.site = Some(vec![said_site(text(key, value, SITE)?)?]),
            "stack" => {
                let sites = list(key, value, "a list of \"FILE:LINE\" or \"MODULE+0xOFFSET\"")?;
                if sites.is_empty() || sites.len() > DEEPEST {
                    return Err((format!("a stack of {} frames", sites.len()), "1 to 64"));
                }
                let sites = sites.into_iter().map(|site| if site == "*" { Ok(SaidSite::Any) } else { said_site(site) });
                self.stack = Some(sites.collect::<Result<_, _>>()?);
            }
            "module" => self.module = Some(module(text(key, value, "a glob")?)?),
            "rank" => {
                self.rank = Some(match value {
                    Value::Number(rank @ 0..=0xf_ffff) => vec![(*rank as u32, *rank as u32)],
                    _ => number::ranges(text(key, value, "ranks, as in \"0-3\"")?, number::MOST_RANK)?,
                })
            }
            _ => self.limit = Some(size(key, value)?),
        }
        Ok(())
    }
}

/// `icoFoam.C:57`, `libfoo.so+0x1a2b`.
fn said_site(site: &str) -> Result<SaidSite, Fault> {
    let fault = || (format!("{} is no place in a program", quoted(site)), SITE);
    if let Some((in_module, offset)) = site.rsplit_once("+0x") {
        let is_hex = !offset.is_empty() && offset.bytes().all(|b| b.is_ascii_hexdigit());
        let address = u64::from_str_radix(offset, 16).ok().filter(|_| is_hex && !in_module.is_empty());
        return Ok(SaidSite::Code(module(in_module)?, address.ok_or_else(fault)?));
    }
    let (file, line) = site.rsplit_once(':').ok_or_else(fault)?;
    let is_number = !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit());
    let line = line.parse::<u32>().ok().filter(|line| is_number && *line > 0 && !file.is_empty()).ok_or_else(fault)?;
    if file.ends_with('/') {
        return Err(fault());
    }
    Ok(SaidSite::Line(FilePattern::Ending(file.as_bytes().to_vec()), line))
}

/// A glob, or `build-id:HEX`.
fn module(text: &str) -> Result<ModulePattern, Fault> {
    let Some(hex) = text.strip_prefix("build-id:") else {
        let glob =
            Glob::parse(text.as_bytes()).map_err(|(what, expected)| (format!("{what}: {}", quoted(text)), expected))?;
        return Ok(ModulePattern::Path(glob));
    };
    let digits = hex.as_bytes();
    let byte = |pair: &[u8]| Some(char::from(pair[0]).to_digit(16)? << 4 | char::from(*pair.get(1)?).to_digit(16)?);
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(|pair| byte(pair).map(|b| b as u8)).collect();
    bytes
        .filter(|bytes| (4..=32).contains(&bytes.len()))
        .map(ModulePattern::BuildId)
        .ok_or_else(|| (format!("{} is no build id", quoted(hex)), "8 to 64 hexadecimal digits"))
}
