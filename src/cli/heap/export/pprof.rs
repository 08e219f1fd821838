//! pprof's format: a gzipped protobuf, `perftools.profiles.Profile` of github.com/google/pprof/proto/profile.proto.
//!
//! Six values per stack. The first four are those of a heap profile of Go, by whose names the tools choose their views.
//!
//! Why mappings have invented addresses: a profile is of many processes, each with its modules elsewhere, so a call is
//! known by its offset in a module. Modules are laid out one behind the other, and nothing needs to be looked up: functions
//! and lines are in the profile.

use crate::escape::{bytes, shown};
use crate::heap::names::{Names, label};
use crate::heap::profile::{Entry, Measure, Profile};
use crate::merge::ModuleId;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

#[derive(Clone, PartialEq, Message)]
struct Proto {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, repeated, tag = "13")]
    comment: Vec<i64>,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    /// The innermost first.
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Mapping {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    memory_start: u64,
    #[prost(uint64, tag = "3")]
    memory_limit: u64,
    #[prost(int64, tag = "5")]
    filename: i64,
    #[prost(int64, tag = "6")]
    build_id: i64,
    #[prost(bool, tag = "7")]
    has_functions: bool,
    #[prost(bool, tag = "8")]
    has_filenames: bool,
    #[prost(bool, tag = "9")]
    has_line_numbers: bool,
    #[prost(bool, tag = "10")]
    has_inline_frames: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    mapping_id: u64,
    #[prost(uint64, tag = "3")]
    address: u64,
    /// The innermost of what was inlined first.
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// The names of the values, their units, and what they are of.
const VALUES: [(&str, &str, Measure); 6] = [
    ("alloc_objects", "count", Measure::Total),
    ("alloc_space", "bytes", Measure::Total),
    ("inuse_objects", "count", Measure::Live),
    ("inuse_space", "bytes", Measure::Live),
    ("peak_space", "bytes", Measure::Peak),
    ("lost_space", "bytes", Measure::Lost),
];

pub fn write(
    profile: &Profile,
    entries: &[&Entry],
    by: Measure,
    names: &mut Names,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut gzip = GzEncoder::new(out, Compression::default());
    gzip.write_all(&proto(profile, entries, by, names).encode_to_vec())?;
    gzip.finish()?.flush()
}

fn proto(profile: &Profile, entries: &[&Entry], by: Measure, names: &mut Names) -> Proto {
    let mut building = Building::new();
    if let Some(main) = profile.main() {
        // Tools take the first for the program.
        building.module(main);
    }
    let mut sample = Vec::with_capacity(entries.len());
    for entry in entries {
        let location_id = profile.sites_of(entry).iter().map(|site| building.location(*site, profile, names)).collect();
        let value = VALUES.map(|(_, unit, measure)| {
            let value = entry.value(measure);
            // At most i64::MAX: the reader sees to it.
            (if unit == "count" { value.blocks } else { value.bytes }) as i64
        });
        sample.push(Sample { location_id, value: value.to_vec() });
    }
    let all = profile.together();
    let sample_type =
        VALUES.map(|(name, unit, _)| ValueType { kind: building.text(name), unit: building.text(unit) }).to_vec();
    let default = VALUES.iter().find(|(_, unit, measure)| *measure == by && *unit == "bytes");
    let default_sample_type = building.text(default.map_or("inuse_space", |(name, ..)| name));
    let space = ValueType { kind: building.text("space"), unit: building.text("bytes") };
    let first = profile.processes.iter().map(|(_, one)| one.started_real).min().unwrap_or(0);
    let longest = profile.processes.iter().map(|(_, one)| one.lasted).max().unwrap_or(0);
    Proto {
        sample_type,
        sample,
        time_nanos: first as i64,
        duration_nanos: longest as i64,
        period_type: Some(space),
        period: all.sampling.max(1) as i64,
        comment: profile.losses().map(|losses| building.text(&format!("not recorded: {losses}"))).into_iter().collect(),
        default_sample_type,
        mapping: building.laid_out(),
        location: building.locations,
        function: building.functions,
        string_table: building.texts,
    }
}

/// The tables, each thing once.
struct Building {
    texts: Vec<String>,
    text_ids: HashMap<String, i64>,
    mappings: Vec<Mapping>,
    mapping_ids: HashMap<Arc<ModuleId>, u64>,
    locations: Vec<Location>,
    location_ids: HashMap<u32, u64>,
    functions: Vec<Function>,
    function_ids: HashMap<(i64, i64, i64), u64>,
}

impl Building {
    fn new() -> Self {
        let mut this = Self {
            texts: Vec::new(),
            text_ids: HashMap::new(),
            mappings: Vec::new(),
            mapping_ids: HashMap::new(),
            locations: Vec::new(),
            location_ids: HashMap::new(),
            functions: Vec::new(),
            function_ids: HashMap::new(),
        };
        this.text("");
        this
    }

    fn text(&mut self, text: &str) -> i64 {
        if let Some(id) = self.text_ids.get(text) {
            return *id;
        }
        let id = self.texts.len() as i64;
        self.texts.push(text.to_owned());
        self.text_ids.insert(text.to_owned(), id);
        id
    }

    fn module(&mut self, module: &Arc<ModuleId>) -> u64 {
        if let Some(id) = self.mapping_ids.get(module) {
            return *id;
        }
        let id = self.mappings.len() as u64 + 1;
        let hex: String = module.build_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let (filename, build_id) = (self.text(&bytes(&module.path)), self.text(&hex));
        self.mappings.push(Mapping { id, filename, build_id, ..Mapping::default() });
        self.mapping_ids.insert(module.clone(), id);
        id
    }

    fn location(&mut self, site: u32, profile: &Profile, names: &mut Names) -> u64 {
        if let Some(id) = self.location_ids.get(&site) {
            return *id;
        }
        let id = self.locations.len() as u64 + 1;
        let call = profile.site(site);
        let mapping_id = call.module.as_ref().map_or(0, |module| self.module(module));
        let mut line = Vec::new();
        let found = names.of(site);
        for location in found.iter() {
            let name = self.text(&label(&call, location));
            let system_name = location.symbol.as_ref().map_or(name, |symbol| self.text(&shown(symbol)));
            let filename = location.file.as_ref().map_or(0, |file| self.text(&shown(file)));
            let function_id = self.function(name, system_name, filename);
            line.push(Line { function_id, line: location.line.unwrap_or(0).into() });
        }
        if let Some(mapping) = (mapping_id as usize).checked_sub(1).and_then(|at| self.mappings.get_mut(at)) {
            // As an offset, until all are known.
            mapping.memory_limit = mapping.memory_limit.max(call.offset + 1);
            mapping.has_functions = true;
            mapping.has_filenames |= found.iter().any(|location| location.file.is_some());
            mapping.has_line_numbers |= found.iter().any(|location| location.line.is_some());
            mapping.has_inline_frames = mapping.has_line_numbers;
        }
        self.locations.push(Location { id, mapping_id, address: call.offset, line });
        self.location_ids.insert(site, id);
        id
    }

    fn function(&mut self, name: i64, system_name: i64, filename: i64) -> u64 {
        let next = self.functions.len() as u64 + 1;
        let id = *self.function_ids.entry((name, system_name, filename)).or_insert(next);
        if id == next {
            self.functions.push(Function { id, name, system_name, filename });
        }
        id
    }

    /// Gives each module a place of its own and moves its locations there.
    fn laid_out(&mut self) -> Vec<Mapping> {
        const PAGE: u64 = 1 << 16;
        let mut next = PAGE;
        for mapping in &mut self.mappings {
            let len = mapping.memory_limit.max(1).next_multiple_of(PAGE);
            (mapping.memory_start, mapping.memory_limit) = (next, next.saturating_add(len));
            next = mapping.memory_limit.saturating_add(PAGE);
        }
        for location in &mut self.locations {
            let mapping = (location.mapping_id as usize).checked_sub(1).and_then(|at| self.mappings.get(at));
            location.address = location.address.saturating_add(mapping.map_or(0, |mapping| mapping.memory_start));
        }
        std::mem::take(&mut self.mappings)
    }
}
