//! A module's file, by the command: `shim report` of a finding whose frames lie in it. Claims: those of [`super::report`].

use crate::commands::{self, Memory};
use record::findings::{self, Involved, Report, Resource};
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::modules::{self, Loaded};
use record::stacks::{self, Frame};
use std::sync::LazyLock;

struct Files {
    module: Memory,
    recording: Memory,
}

pub fn run(input: &[u8]) {
    static FILES: LazyLock<Option<Files>> = LazyLock::new(files);
    let (Some(files), Some((command, file))) = (FILES.as_ref(), input.split_first()) else { return };
    if files.module.set(file, &[]).is_ok() {
        // As text, or as JSON.
        commands::run(command & 2, &files.recording);
    }
}

/// A double close, and a key in a variable, all of it in the module.
fn files() -> Option<Files> {
    let (module, recording) = (Memory::new().ok()?, Memory::new().ok()?);
    let memory = record::memory::Memory::new();
    memory.process(b"/srv/app", 12, 1);
    let path = module.path.as_bytes();
    let loaded = Loaded { path, build_id: &[], bias: 0x10000, start: 0x10000, end: 0x20000, flags: 1 };
    let index = modules::register(&memory, &loaded, 5)?;
    let stack = |from: u64| {
        let frames: Vec<u64> = (0..24).map(|i| Frame::in_module(index, from + i * 13).0).collect();
        stacks::intern(&memory, &frames)
    };
    let mut parties = [Involved::default(); 6];
    parties[0] = Involved { role: Some(Role::Here), tid: 14, stack: stack(0x1001), thread: [b'w'; 16] };
    parties[1] = Involved { role: Some(Role::Closed), tid: 13, stack: stack(0x1201), thread: [b'i'; 16] };
    let report = Report {
        kind: Kind::FdDoubleClose,
        severity: Severity::Error,
        tid: 14,
        thread: [b'w'; 16],
        time: 100,
        resource: Resource::Descriptor { fd: 7, kind: 4, owner_kind: 0, owner: 0, generation: 1 },
        label: Label::endpoints(None, None),
        parties,
        detail: b"close",
    };
    findings::file(&memory, &report);
    let variable = stacks::intern(&memory, &[Frame::in_module(index, 0x4010).0]);
    let key = findings::Key { index: 3, variable, ..findings::Key::default() };
    findings::file(&memory, &Report { kind: Kind::KeyForeign, resource: Resource::Key(key), ..report });
    recording.set(&memory.to_bytes(), &[]).ok()?;
    Some(Files { module, recording })
}
