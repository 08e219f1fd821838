//! Which findings are wanted: by kind, process, severity, module.
//!
//! Why before the merge: what nobody asked for is then neither kept nor counted, so that counts are of what is shown.

use crate::args::ReportArgs;
use crate::merge::ModuleId;
use record::kind::Severity;
use record::reader::{Finding, Head};
use record::suppressions::Glob;
use record::text::Line;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

#[derive(Default)]
pub struct Filter<'a> {
    /// Any of these; none means all.
    kinds: Vec<Glob<'a>>,
    pid: Option<u32>,
    /// A frame of any of its stacks lies in it. True: the glob is for the whole path, otherwise for its last part.
    module: Option<(Glob<'a>, bool)>,
    /// This one and graver.
    severity: Option<Severity>,
}

impl<'a> Filter<'a> {
    /// The error is a usage error.
    pub fn new(args: &'a ReportArgs) -> Result<Self, String> {
        let kinds = args.kind.iter().map(|kind| glob("--kind", kind.as_ref())).collect::<Result<_, _>>()?;
        let module = match &args.module {
            Some(module) => Some((glob("--module", module)?, module.as_bytes().contains(&b'/'))),
            None => None,
        };
        Ok(Self { kinds, pid: args.pid, module, severity: args.severity.map(Into::into) })
    }

    pub fn wants_process(&self, head: &Head) -> bool {
        self.pid.is_none_or(|pid| pid == head.pid)
    }

    pub fn wants(&self, finding: &Finding) -> bool {
        let kind = finding.kind.name().as_bytes();
        self.severity.is_none_or(|least| finding.severity <= least)
            && (self.kinds.is_empty() || self.kinds.iter().any(|glob| glob.matches(kind)))
    }

    /// `None` asks whether a finding is wanted whatever its modules are.
    pub fn wants_module(&self, module: Option<&ModuleId>) -> bool {
        match (&self.module, module) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((glob, whole)), Some(module)) => {
                let last = module.path.rsplit(|b| *b == b'/').next().unwrap_or_default();
                glob.matches(if *whole { &module.path } else { last })
            }
        }
    }
}

fn glob<'a>(option: &str, pattern: &'a OsStr) -> Result<Glob<'a>, String> {
    Glob::parse(pattern.as_bytes()).map_err(|problem| {
        let mut buffer = [0; 256];
        let mut line = Line::new(&mut buffer);
        problem.write(&mut line);
        format!("{option}: {}", String::from_utf8_lossy(line.as_bytes()))
    })
}
