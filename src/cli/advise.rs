//! `shim advise`: which call stacks belong on which memory, out of recordings; as a table, and as a file that does it.
//!
//! ```text
//! recordings ─→ heap::extract ─→ candidates (moments, values) ─→ plan (knapsack, tier by tier)
//!                                   └→ stacks (as few calls as tell) ─→ rules, or flexmalloc ─→ the next run
//! ```
//!
//! Rules: what a value is made of is said, in the table and in the file; a file that `tier::rules` would complain about is not
//! written.

mod candidates;
mod flexmalloc;
mod knapsack;
mod plan;
mod rules;
mod stacks;

pub use candidates::Objective;
pub use plan::Room;

use crate::args::AdviseArgs;
use crate::escape::{bytes, shown};
use crate::heap::extract::Extract;
use crate::heap::names::{self, Call, Names};
use crate::heap::profile::{Measure, Profile};
use crate::heap::text::of_whom;
use crate::merge::{Site, read_each};
use crate::message::{Failure, exit, reason, say};
use crate::report::text::call_site;
use crate::symbolise::{Location, Symboliser};
use crate::{size, target, when};
use candidates::{Candidates, Seen};
use plan::{Filled, Plan};
use record::heap::level;
use record::usage::access;
use stacks::{NAMELESS, Stack};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use tier::rules::Policy;
use tier::spec::TierSpec;

/// Call stacks that the table shows.
const SHOWN: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FileFormat {
    /// A rule file of shim
    Toml,
    /// FlexMalloc's definitions and locations
    Flexmalloc,
}

/// A rule that is to be written.
struct Placed {
    tier: Option<usize>,
    /// The call that a person would name.
    title: String,
    /// The calls that it names, innermost first, each with one of the functions that are there.
    calls: Vec<Call>,
    limit: u64,
}

/// A stack that was placed, whole.
struct Whole {
    tier: usize,
    title: String,
    frames: Vec<Site>,
}

struct Advice {
    plan: Plan,
    rules: Vec<Placed>,
    stacks: Vec<Whole>,
    /// Whose heap it was.
    whom: String,
    /// What a byte is worth.
    worth: String,
    unit: &'static str,
    heap_bytes: u64,
}

impl Advice {
    /// What became of a tier, in a line.
    fn filled(&self, one: &Filled) -> String {
        let tier = self.plan.filled.iter().position(|other| other.room == one.room);
        let sites = self.plan.tier_of.iter().filter(|of| of.is_some() && **of == tier).count();
        rules::filled(one, sites, self.plan.total, self.unit)
    }
}

pub fn advise(args: &AdviseArgs) -> Result<ExitCode, Failure> {
    let given = args.tier_file.as_deref().map(read_tiers).transpose()?;
    check_rooms(args, given.as_ref())?;
    if args.format == FileFormat::Flexmalloc && args.output.as_deref().is_none_or(|path| path == Path::new("-")) {
        return Err(Failure::new(
            exit::USAGE,
            "--format flexmalloc: two files are written: -o says how their names begin",
        ));
    }
    let found = target::files(&args.targets);
    found.problems.iter().for_each(say);
    let (profile, seen, problems) = read(&found.files);
    problems.iter().for_each(say);
    let failed = !found.problems.is_empty() || !problems.is_empty();
    if profile.processes.is_empty() {
        return Err(match profile.unwatched {
            0 => Failure::new(exit::PARTLY, ""),
            _ => crate::heap::unwatched(&profile, &found.files),
        });
    }
    if profile.together().level == level::COUNT || profile.entries().is_empty() {
        let why = "no call stacks were recorded: run it with heap=sites or heap=full";
        return Err(Failure::new(exit::PARTLY, format!("{}: {why}", of_whom(&profile))));
    }
    let objective = {
        let all: Vec<&Seen> = seen.iter().map(|(seen, _)| seen).collect();
        candidates::objective(&all, args.objective)
            .map_err(|why| Failure::new(exit::PARTLY, format!("advise: {why}")))?
    };
    let candidates = Candidates::new(&seen, profile.entries().len(), objective);
    if candidates.values.iter().all(|value| *value == 0) {
        let why = format!("no {} of known call stacks were recorded", objective.unit());
        return Err(Failure::new(exit::PARTLY, format!("{}: {why}", of_whom(&profile))));
    }
    let plan = Plan::new(&candidates, &args.capacity);
    let mut symbols = Symboliser::default();
    let mut names = Names::new(&profile, &mut symbols);
    let (advice, nameless) = word(&profile, &candidates, plan, objective, &mut names);
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if !to_stdout {
        let mut out = BufWriter::new(io::stdout().lock());
        table(&profile, &candidates, &advice, &seen, objective, args, &mut names, &mut out)?;
        out.flush()?;
    }
    symbols.take_problems().iter().for_each(say);
    if nameless > 0 {
        say(format!("advise: {nameless} call stacks lie in code without a module: no rule can name them"));
    }
    if let Some(output) = &args.output {
        write(args, &advice, given.as_ref(), output)?;
    }
    Ok(if failed { ExitCode::from(exit::PARTLY) } else { ExitCode::SUCCESS })
}

/// The --tier-file: its text, and the tiers in it.
fn read_tiers(path: &Path) -> Result<(String, Vec<TierSpec>), Failure> {
    let name = shown(path);
    let content = std::fs::read(path).map_err(|e| Failure::new(exit::USAGE, format!("{name}: {}", reason(&e))))?;
    let reading = Policy::read(&content, &name);
    // Faults of tiers matter here; of rules the run complains.
    let Some(policy) = reading.policy else {
        let why = reading.complaints.first().map(ToString::to_string);
        return Err(Failure::new(
            exit::USAGE,
            bytes(why.unwrap_or_else(|| format!("{name}: no rule file")).as_bytes()),
        ));
    };
    reading.complaints.iter().for_each(|complaint| say(bytes(complaint.to_string().as_bytes())));
    Ok((String::from_utf8_lossy(&content).into_owned(), policy.tiers))
}

fn check_rooms(args: &AdviseArgs, given: Option<&(String, Vec<TierSpec>)>) -> Result<(), Failure> {
    for (number, room) in args.capacity.iter().enumerate() {
        let name = bytes(room.name.as_bytes());
        if args.capacity[..number].iter().any(|other| other.name == room.name) {
            return Err(Failure::new(
                exit::USAGE,
                format!("--capacity: a second {name}: each tier once, the fastest first"),
            ));
        }
        if let Some((_, tiers)) = given
            && !tiers.iter().any(|spec| spec.name == room.name)
        {
            let known: Vec<String> = tiers.iter().skip(1).map(|spec| bytes(spec.name.as_bytes())).collect();
            let known =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            let file = args.tier_file.as_ref().map(shown).unwrap_or_default();
            return Err(Failure::new(exit::USAGE, format!("--capacity: no tier {name} in {file}: {known}")));
        }
    }
    Ok(())
}

/// What was seen of one, and the entry of each of its sites.
type Process = (Seen, Vec<u32>);

/// Reads the files; what is wrong with them, one line each.
fn read(files: &[PathBuf]) -> (Profile, Vec<Process>, Vec<String>) {
    let all: Mutex<(Profile, Vec<(usize, Process)>)> = Mutex::default();
    let problems = read_each(files, &|number, recording| {
        let extract = Extract::new(recording);
        let seen = Seen::new(recording, &extract);
        let (profile, all) = &mut *all.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = profile.take(number, &extract);
        if extract.heap.is_some() {
            all.push((number, (seen, entries)));
        }
    });
    let (mut profile, mut seen) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    profile.finish();
    seen.sort_by_key(|(number, _)| *number);
    (profile, seen.into_iter().map(|(_, process)| process).collect(), problems)
}

/// Rules and stacks with their names; and how many stacks have none.
fn word(
    profile: &Profile,
    candidates: &Candidates,
    plan: Plan,
    objective: Objective,
    names: &mut Names,
) -> (Advice, usize) {
    let entries = profile.entries();
    // Those with most value first: so are their rules.
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|entry| {
        (plan.tier_of[*entry].unwrap_or(usize::MAX), std::cmp::Reverse(candidates.values[*entry]))
    });
    let as_stack = |entry: &usize, names: &mut Names| {
        let sites = profile.sites_of(&entries[*entry]);
        let is_named = |site: u32, names: &mut Names| {
            let call = profile.site(site);
            names.of(site).iter().any(|location| !names::is_passed(&call, location))
        };
        let named = sites.iter().position(|site| is_named(*site, names)).map_or(1, |at| at + 1);
        let known = |site: &u32| rules::is_nameable(profile.site(*site).module.as_ref());
        let frames = sites.iter().map(|site| if known(site) { *site } else { NAMELESS }).collect();
        Stack { frames, named, tier: plan.tier_of[*entry] }
    };
    let stacks: Vec<Stack> = order.iter().map(|entry| as_stack(entry, names)).collect();
    let (found, nameless) = stacks::rules(&stacks, tier::rules::DEEPEST);
    let title = |entry: usize, names: &mut Names| {
        let calls = names.stack(&entries[entry]);
        calls.get(names::place(&calls)).map_or_else(|| "a call stack without frames".to_owned(), title)
    };
    let mut placed = Vec::new();
    for rule in &found {
        let calls = rule.frames.iter().map(|frame| {
            if *frame == NAMELESS {
                return (Site { module: None, offset: 0 }, Location::default());
            }
            let (site, locations) = (profile.site(*frame), names.of(*frame));
            // What was inlined into the caller is where the call is; a wrapper is nobody's.
            let best = locations.iter().find(|location| !names::is_passed(&site, location));
            let location = best.or(locations.first()).cloned().unwrap_or_default();
            (site, location)
        });
        let calls = calls.collect();
        let of = rule.stacks.iter().map(|stack| order[*stack]);
        let needs: u64 = of.clone().map(|entry| candidates.most[entry]).fold(0, u64::saturating_add);
        let errors = of.clone().filter_map(|entry| entries[entry].value(Measure::Peak).error());
        let error = errors.fold(0.0, f64::max);
        let room = rule.tier.map_or(u64::MAX, |tier| plan.filled[tier].room.capacity);
        let first = rule.stacks.first().map_or(0, |stack| order[*stack]);
        placed.push(Placed {
            tier: rule.tier,
            title: title(first, names),
            calls,
            limit: rules::with_headroom(needs, error).min(room),
        });
    }
    let mut whole = Vec::new();
    for entry in order.iter().copied() {
        let Some(tier) = plan.tier_of[entry] else { continue };
        let frames = profile.sites_of(&entries[entry]).iter().map(|site| profile.site(*site)).collect();
        whole.push(Whole { tier, title: title(entry, names), frames });
    }
    let worth = match objective {
        Objective::Allocated => {
            "allocated bytes per live byte: accesses were not measured, shim run --access does".to_owned()
        }
        Objective::Faults => "page faults per byte: first touches, not all accesses".to_owned(),
        other => format!("{} per byte", other.unit()),
    };
    let heap_bytes = profile.processes.iter().map(|(_, one)| one.heap.peak_bytes).max().unwrap_or(0);
    let whom = of_whom(profile);
    (Advice { plan, rules: placed, stacks: whole, whom, worth, unit: objective.unit(), heap_bytes }, nameless)
}

/// `load_table  table.c:12`
fn title(call: &Call) -> String {
    call_site(&call.1).unwrap_or_else(|| names::label(&call.0, &call.1))
}

#[allow(clippy::too_many_arguments)]
fn table(
    profile: &Profile,
    candidates: &Candidates,
    advice: &Advice,
    seen: &[Process],
    objective: Objective,
    args: &AdviseArgs,
    names: &mut Names,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "== shim: advice for {}", advice.whom)?;
    writeln!(out, "  a byte is worth its {}", advice.worth)?;
    measured(seen, objective, out)?;
    for one in &advice.plan.filled {
        writeln!(out, "  {}", advice.filled(one))?;
    }
    if advice.plan.small > 0 {
        writeln!(out, "  {} call stacks are too small to be placed", size::count(advice.plan.small as u64))?;
    }
    let entries = profile.entries();
    let mut order: Vec<usize> = (0..entries.len()).filter(|entry| candidates.values[*entry] > 0).collect();
    let density = |entry: usize| candidates.values[entry] as f64 / candidates.most[entry].max(1) as f64;
    order.sort_by(|a, b| {
        let tier = |entry: usize| advice.plan.tier_of[entry].unwrap_or(usize::MAX);
        tier(*a).cmp(&tier(*b)).then(density(*b).total_cmp(&density(*a))).then(a.cmp(b))
    });
    let limit = args.limit.unwrap_or(SHOWN);
    let first = if limit < order.len() { format!(", the first {limit} of {}", order.len()) } else { String::new() };
    writeln!(out, "\n{:<10} {:>9} {:>6} {:>9} {:>9}  call{first}", "tier", "at most", "value", "per byte", "lives")?;
    for entry in order.into_iter().take(limit) {
        let tier = advice.plan.tier_of[entry].map_or("heap", |tier| advice.plan.filled[tier].room.name.as_str());
        let share = candidates.values[entry] as f64 * 100.0 / advice.plan.total.max(1) as f64;
        let share = if share < 0.5 { "<1 %".to_owned() } else { format!("{share:.0} %") };
        let calls = names.stack(&entries[entry]);
        let call = calls.get(names::place(&calls)).map(title).unwrap_or_default();
        let lives = candidates.lifetimes[entry].map_or_else(String::new, |ms| match ms {
            0 => "<1 ms".to_owned(),
            ms => when::duration(ms.saturating_mul(1_000_000)),
        });
        writeln!(
            out,
            "{:<10} {:>9} {share:>6} {:>9} {lives:>9}  {call}",
            bytes(tier.as_bytes()),
            size::bytes(candidates.most[entry]),
            per_byte(density(entry)),
        )?;
    }
    if args.output.is_none() {
        writeln!(out, "\n-o FILE writes the rules")?;
    }
    Ok(())
}

/// Three figures of a number of any size.
fn per_byte(density: f64) -> String {
    match density {
        d if d >= 1e6 => format!("{d:.1e}"),
        d if d >= 99.5 => format!("{d:.0}"),
        d if d >= 0.01 => format!("{d:.2}"),
        d => format!("{d:.1e}"),
    }
}

/// What stands behind accesses.
fn measured(seen: &[Process], objective: Objective, out: &mut dyn Write) -> io::Result<()> {
    if objective == Objective::Allocated {
        return Ok(());
    }
    let sum = |of: &dyn Fn(&Seen) -> u64| seen.iter().map(|(seen, _)| of(seen)).fold(0u64, u64::saturating_add);
    let samples = sum(&|one| one.accesses.samples);
    let hits = samples.saturating_sub(sum(&|one| one.accesses.elsewhere));
    let lost = sum(&|one| one.accesses.lost);
    let kind = seen.first().map_or(access::NONE, |(one, _)| one.accesses.kind);
    let period = seen.iter().map(|(one, _)| one.accesses.period).max().unwrap_or(1);
    let share = hits as f64 * 100.0 / samples.max(1) as f64;
    write!(
        out,
        "  measured   {}: {} samples, one in {}; {share:.0} % in known blocks",
        access::name(kind),
        size::count(samples),
        size::count(period)
    )?;
    if lost > 0 {
        write!(out, "; {} more were lost", size::count(lost))?;
    }
    writeln!(out)
}

fn write(
    args: &AdviseArgs,
    advice: &Advice,
    given: Option<&(String, Vec<TierSpec>)>,
    output: &Path,
) -> Result<(), Failure> {
    if args.format == FileFormat::Flexmalloc {
        let (definitions, locations, missing) = flexmalloc::write(advice, given.map(|(_, tiers)| &tiers[..]))?;
        for (ending, text) in [(".definitions", definitions), (".locations", locations)] {
            let mut path = output.as_os_str().to_owned();
            path.push(ending);
            save(Path::new(&path), &text)?;
        }
        if missing > 0 {
            say(format!(
                "advise: {missing} call stacks have modules that are not there any more: they are no locations"
            ));
        }
        return Ok(());
    }
    let text = rules::write(advice, given.map(|(text, _)| &text[..]));
    let name = shown(output);
    let reading = Policy::read(text.as_bytes(), &name);
    // Of what the user wrote it was said already; what is more is ours.
    let before = given.map_or(0, |(text, _)| Policy::read(text.as_bytes(), &name).complaints.len());
    if let Some(fault) =
        reading.complaints.get(before).filter(|_| reading.complaints.len() > before || reading.policy.is_none())
    {
        return Err(Failure::new(exit::PARTLY, format!("{}: not written", bytes(fault.to_string().as_bytes()))));
    }
    if given.is_none() {
        say("advise: without --tier-file the tiers are ordinary memory: say in the file what they are");
    }
    if output == Path::new("-") {
        io::stdout().lock().write_all(text.as_bytes())?;
        return Ok(());
    }
    save(output, &text)
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|e| Failure::new(exit::PARTLY, format!("{}: {}", shown(path), reason(&e))))
}
