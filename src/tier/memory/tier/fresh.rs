//! Memory of the tier that nobody else has yet: filled with zeros, touched, taken as words.
//!
//! Why apart: it is the only code of a tier that writes to memory by address.
#![allow(unsafe_code)] // Safety: callers pass committed memory that has not been handed out.

use core::sync::atomic::AtomicU32;

pub fn zero(at: usize, size: usize) {
    // SAFETY: committed slices of a block that has not been handed out.
    unsafe { (at as *mut u8).write_bytes(0, size) };
}

/// Writes to each page what is there.
pub fn touch(at: usize, size: usize) {
    for page in (at..at + size).step_by(4096) {
        let word = page as *mut u8;
        // SAFETY: as above.
        unsafe { word.write_volatile(word.read_volatile()) };
    }
}

/// Words that are all zero, in memory that is not touched for it.
pub fn untouched(count: usize) -> Vec<AtomicU32> {
    words(vec![0u32; count])
}

fn words(zeros: Vec<u32>) -> Vec<AtomicU32> {
    let mut zeros = core::mem::ManuallyDrop::new(zeros);
    let (at, length, capacity) = (zeros.as_mut_ptr(), zeros.len(), zeros.capacity());
    // SAFETY: an AtomicU32 is laid out as a u32; the old owner is forgotten.
    unsafe { Vec::from_raw_parts(at.cast(), length, capacity) }
}
