//! The name of a descriptor kind, by the code that a recording holds. One that is none is a plain "fd".

pub fn name(code: u8) -> &'static str {
    track::fd::FdKind::from_bits(code).name()
}
