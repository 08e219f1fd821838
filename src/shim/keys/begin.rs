//! Keys that are nobody's of the program: the decoy, libc's, and our own.
//!
//! **libc's.** Up to glibc 2.33 the first dlsym creates a key, through a weak `__pthread_key_create` that is bound to us, inside a
//! pthread_once: another dlsym would wait for that one for ever. So the real function is then found by hand ([`by_hand`]).
//!
//! **Ours** shall be none of the first ones: what a program gets is what a variable that was never written holds, and its bug
//! must hit what it hits without us. libc gives out the lowest free index, so the lower ones are held for the moment that it
//! takes. Higher than 31 it may not be either: beyond, each thread that sets it costs an allocation.
#![allow(unsafe_code)] // Safety: the real functions, with their own contracts.

use super::table;
use crate::options;
use crate::resolve::Slot;
use crate::roster::real;
use crate::{symbols, thread};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use track::key::{State, Whose};

/// The last index whose value lies in a thread's own description.
const HIGHEST: u32 = 31;
/// Indices that are looked at when we start: libc has one or two.
const LOOKED_AT: u32 = 8;
static DECOY: AtomicBool = AtomicBool::new(false);

/// Takes the first index, if it is the first. At start, before the program can have one.
pub fn take_decoy() {
    if options::keys_mode() == options::Mode::Off || !options::key_decoy() || DECOY.swap(true, Relaxed) {
        return;
    }
    thread::inside_libc(|| {
        let mut key = u32::MAX;
        // SAFETY: writes one index; one that is not wanted is given back.
        unsafe {
            if real::pthread_key_create(&raw mut key, 0) == 0 {
                if key == 0 {
                    table::reserve(key, Whose::Decoy);
                } else {
                    real::pthread_key_delete(key);
                }
            }
        }
    });
}

/// At the end of our start: what is live now and was not created through us is libc's.
pub fn start() {
    if options::keys_mode() == options::Mode::Off {
        table::allow_everything();
        return;
    }
    for key in 0..LOOKED_AT {
        if let Some(slot) = table::slot(key).filter(|slot| slot.state() == State::Unknown) {
            if is_live(key) && slot.accepted(Whose::Libc) {
                table::taken();
            }
        }
    }
}

/// Does libc take the index for a live one?
pub fn is_live(key: u32) -> bool {
    // SAFETY: libc checks the index; the value stays what it is.
    thread::inside_libc(|| unsafe { real::pthread_setspecific(key, real::pthread_getspecific(key)) == 0 })
}

/// Creates our own key; `None` when there is none left.
pub fn own(destructor: unsafe extern "C" fn(*mut libc::c_void)) -> Option<u32> {
    let mut held = [0u32; HIGHEST as usize + 1];
    let mut count = 0;
    let mut own = None;
    thread::inside_libc(|| {
        // SAFETY: each index is written by libc, and given back once.
        unsafe {
            while count < held.len() && real::pthread_key_create(&raw mut held[count], destructor as usize) == 0 {
                count += 1;
                if held[count - 1] >= HIGHEST {
                    break;
                }
            }
            if let Some((last, others)) = held[..count].split_last() {
                for key in others {
                    real::pthread_key_delete(*key);
                }
                own = Some(*last);
            }
        }
    });
    if let Some(key) = own {
        table::reserve(key, Whose::Own);
    }
    own
}

/// Inside a dlsym of our own: finds the real function in libc's own tables.
pub fn by_hand(slot: &'static Slot) {
    if slot.resolved().is_none() {
        if let Some(found) = symbols::of_libc(slot.name.to_bytes()) {
            slot.fill(found);
        }
    }
}

/// The value that the calling thread has at an index.
pub fn value(key: u32) -> usize {
    // SAFETY: libc checks the index.
    unsafe { real::pthread_getspecific(key) as usize }
}
