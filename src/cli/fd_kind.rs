//! The name of a descriptor kind, by the code that a recording holds: the words of the library.

pub fn name(code: u8) -> &'static str {
    track::fd::FdKind::from_bits(code).name()
}
