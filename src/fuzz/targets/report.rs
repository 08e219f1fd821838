//! A recording, by the command: `shim report`, `heap`, `locks`, `diff`, … whichever its first byte says. Claims: what is printed
//! is text that no terminal obeys, or JSON, line by line; see [`crate::commands`].

use crate::commands::{self, Memory};
use crate::dense::unpack;
use std::sync::LazyLock;

pub fn run(input: &[u8]) {
    static FILE: LazyLock<Option<Memory>> = LazyLock::new(|| Memory::new().ok());
    let (Some(dense), Some(file)) = (unpack(input), FILE.as_ref()) else { return };
    if file.set(&dense.bytes, &dense.tail).is_ok() {
        commands::run(dense.command, file);
    }
}
