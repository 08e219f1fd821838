//! The keys of SHIM_OPTIONS as options of `shim run`: what each takes, and what of it the library is told.

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The keys of SHIM_OPTIONS, each as an option of the same name.
#[derive(Args, Default)]
#[command(next_help_heading = "Keys of SHIM_OPTIONS")]
pub struct Keys {
    /// Sets the rest; the other keys override it
    #[arg(long, value_name = "PRESET", value_parser = ["observe", "protect", "hunt"])]
    pub preset: Option<String>,
    /// Descriptors and sockets
    #[arg(long, value_name = "MODE", value_parser = ["observe", "protect", "abort", "off"])]
    pub fd: Option<String>,
    /// Heap blocks
    #[arg(long, value_name = "MODE", value_parser = ["sites", "count", "full", "protect", "abort", "off"])]
    pub heap: Option<String>,
    /// One byte of the heap in so many is sampled
    #[arg(long = "heap_sampling", visible_alias = "heap-sampling", value_name = "SIZE", value_parser = size)]
    pub heap_sampling: Option<String>,
    /// Which blocks are touched: one in so many loads and stores, or page faults
    #[arg(long, value_name = "N|faults|0", value_parser = access)]
    pub access: Option<String>,
    /// Bytes held after free
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub quarantine: Option<String>,
    /// One in N heap blocks on guard pages
    #[arg(long, value_name = "N", value_parser = size)]
    pub guard: Option<String>,
    /// Redzones around heap blocks
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub canary: Option<String>,
    /// Thread-specific keys
    #[arg(long, value_name = "MODE", value_parser = ["observe", "protect", "abort", "off"])]
    pub keys: Option<String>,
    /// Keep index 0 from everybody: a key variable that nobody has initialised is 0
    #[arg(long = "key_decoy", visible_alias = "key-decoy", value_name = "0|1", value_parser = ["0", "1"])]
    pub key_decoy: Option<String>,
    /// Locks; order also builds the order graph
    #[arg(long, value_name = "MODE", value_parser = ["observe", "protect", "abort", "order", "off"])]
    pub locks: Option<String>,
    /// How long locks are held and waited for
    #[arg(long = "lock_times", visible_alias = "lock-times", value_name = "0|1", value_parser = ["0", "1"])]
    pub lock_times: Option<String>,
    /// Writes to what is locked for reading only
    #[arg(long = "lock_watch", visible_alias = "lock-watch", value_name = "0|1", value_parser = ["0", "1"])]
    pub lock_watch: Option<String>,
    /// Memory placement: a rule file
    #[arg(long, value_name = "FILE")]
    pub tiers: Option<PathBuf>,
    /// Memory placement by FlexMalloc's files: its definitions and its locations
    #[arg(long, num_args = 2, value_names = ["DEFINITIONS", "LOCATIONS"], conflicts_with = "tiers")]
    pub flexmalloc: Option<Vec<PathBuf>>,
    /// Frames per stack
    #[arg(long = "stack_depth", visible_alias = "stack-depth", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub stack_depth: Option<u32>,
    /// Where text goes as it is found: stderr, or a path with %p pid, %e program, %r rank
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,
    /// Where findings go as lines of JSON, as they are found: a path as for --report, or fd:N
    #[arg(long = "json-lines", visible_alias = "json", value_name = "PATH|fd:N", value_parser = OsStringValueParser::new().try_map(json_target))]
    pub json: Option<OsString>,
    /// What not to report: a file
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,
    /// Exit status when a process of the run had errors
    #[arg(long = "error_exitcode", visible_alias = "error-exitcode", value_name = "N")]
    pub error_exitcode: Option<u8>,
    /// The signal that asks a program for a snapshot, such as USR2 or RTMIN+3
    #[arg(long = "snapshot_signal", visible_alias = "snapshot-signal", value_name = "SIGNAL")]
    pub snapshot_signal: Option<String>,
    /// Whether programs that it executes are watched too
    #[arg(long, value_name = "0|1", value_parser = ["0", "1"])]
    pub follow: Option<String>,
}

impl Keys {
    /// What was given, in an order in which the preset does not override the rest. Paths become absolute: the program
    /// may change its directory before it executes the next one.
    pub fn pairs(&self) -> Vec<(&'static str, OsString)> {
        let word = |w: &Option<String>| w.as_ref().map(OsString::from);
        let path =
            |p: &Option<PathBuf>| p.as_ref().map(|p| std::path::absolute(p).unwrap_or(p.clone()).into_os_string());
        let report = match &self.report {
            Some(to) if to.as_os_str() == "stderr" => Some("stderr".into()),
            other => path(other),
        };
        [
            ("preset", word(&self.preset)),
            ("fd", word(&self.fd)),
            ("heap", word(&self.heap)),
            ("heap_sampling", word(&self.heap_sampling)),
            ("access", word(&self.access)),
            ("quarantine", word(&self.quarantine)),
            ("guard", word(&self.guard)),
            ("canary", word(&self.canary)),
            ("keys", word(&self.keys)),
            ("key_decoy", word(&self.key_decoy)),
            ("locks", word(&self.locks)),
            ("lock_times", word(&self.lock_times)),
            ("lock_watch", word(&self.lock_watch)),
            ("tiers", if self.flexmalloc.is_some() { Some("flexmalloc".into()) } else { path(&self.tiers) }),
            ("stack_depth", self.stack_depth.map(|n| n.to_string().into())),
            ("report", report),
            ("json", self.json.clone()),
            ("suppressions", path(&self.suppressions)),
            ("error_exitcode", self.error_exitcode.map(|n| n.to_string().into())),
            ("snapshot_signal", word(&self.snapshot_signal)),
            ("follow", word(&self.follow)),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }
}

/// A path becomes absolute. A descriptor is named with what is behind it now: in a program that CMD executes later, the
/// number may be another file.
fn json_target(given: OsString) -> Result<OsString, String> {
    let Some(number) = given.to_str().and_then(|text| text.strip_prefix("fd:")) else {
        return Ok(std::path::absolute(&given).unwrap_or_else(|_| PathBuf::from(&given)).into_os_string());
    };
    let number: i32 = number.parse().ok().filter(|n| *n >= 0).ok_or("expected a path or fd:N")?;
    let behind = std::fs::metadata(format!("/proc/self/fd/{number}")).map_err(|_| "this descriptor is not open")?;
    Ok(format!("fd:{number}@{}", behind.ino()).into())
}

/// `faults`, or a number of accesses.
fn access(text: &str) -> Result<String, String> {
    if text == "faults" {
        Ok(text.to_owned())
    } else {
        size(text).map_err(|_| "expected faults, or a number".to_owned())
    }
}

/// A number that may end in K, M or G; passed on as it is.
fn size(text: &str) -> Result<String, String> {
    let digits = text.strip_suffix(['K', 'M', 'G', 'k', 'm', 'g']).unwrap_or(text);
    match digits.parse::<u64>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a number, which may end in K, M or G".to_owned()),
    }
}
