//! Who uses a key: what the code around the call proves.
//!
//! A return address alone proves nothing: `return pthread_getspecific(key);` is a jump, and we return to the caller's caller. So
//! before a module is called a stranger, the instruction before the return address must be a call of our very hook; and it
//! must not be one that may use the key all the same: because it names the owner's variable, which the owner exports (code in
//! a header does that), or because it has made the key.
//!
//! Rules: what cannot be proved is entitled.
#![allow(unsafe_code)] // Safety: memory is probed before it is read.

use super::{Details, Use, begin, place, table};
use crate::thread::{Scope, State};
use crate::unwind::{self, Object};
use crate::{arch, symbols, sys};
use core::sync::atomic::Ordering::Relaxed;
use record::layout::module_flag;
use track::key::{Facts, User};

/// Who makes this call? What it finds out goes into `details`.
pub fn find(
    scope: &mut Scope,
    act: Use,
    index: u32,
    facts: &Facts,
    from: u64,
    hook: u64,
    details: &mut Details,
) -> User {
    let state = scope.state;
    let Some(places) = table::places(index) else { return User::Entitled };
    let owner_number = table::load(&places.variable);
    let (Some(module), Some(owner)) = (recorded(state, from), recorded(state, facts.now.variable)) else {
        return User::Entitled;
    };
    let number = table::number(module.recorded);
    if owner_number == 0 || table::number(owner.recorded) != owner_number || module.flags & FREE != 0 {
        return User::Entitled;
    }
    let relative = offset_table(&module);
    let loaded = arch::loaded_before(from, relative, &mut |at| within(&module, at), &mut |at| read(at), index);
    if loaded == Some(facts.now.variable) {
        return User::Entitled;
    }
    let before = table::load(&places.before);
    let stale = before != 0 && holds(Some(state), before, facts.before.variable, index);
    if number == owner_number || number == places.maker.load(Relaxed) {
        if !stale || loaded != Some(facts.before.variable) {
            return User::Entitled;
        }
    } else if !arch::calls(from, hook, relative, &mut |at| within(&module, at), &mut |at| read(at))
        || shares(&owner, facts.now.variable, &module)
    {
        return User::Entitled;
    }
    details.owner = place(&owner, facts.now.variable);
    details.variable = loaded.map_or(0, |at| recorded(state, at).map_or(0, |object| place(&object, at)));
    let value = begin::value(index);
    details.value = value as u64;
    if number == owner_number || number == places.maker.load(Relaxed) {
        return User::Stale;
    }
    let overwrites = match act {
        Use::Set(new) => value != 0 && value != new,
        _ => false,
    };
    User::Stranger { stale: stale && before == number, overwrites }
}

/// Modules that are never accused.
const FREE: u64 = module_flag::LIBC | module_flag::SHIM;

/// The place of the variable from which a call has its index, when it is seen; 0 otherwise.
pub fn variable(scope: &mut Scope, index: u32, from: u64) -> u32 {
    let state = scope.state;
    let Some(module) = recorded(state, from) else { return 0 };
    let relative = offset_table(&module);
    let loaded = arch::loaded_before(from, relative, &mut |at| within(&module, at), &mut |at| read(at), index);
    loaded.map_or(0, |at| recorded(state, at).map_or(0, |object| place(&object, at)))
}

/// Does a variable of this module still hold the number?
pub fn holds(state: Option<&'static State>, module: u32, variable: u64, index: u32) -> bool {
    let object = state.and_then(|state| recorded(state, variable));
    object.is_some_and(|object| table::number(object.recorded) == module) && read(variable) == Some(index)
}

fn recorded(state: &'static State, at: u64) -> Option<Object> {
    unwind::module_of(state, at).filter(|object| object.recorded.is_some())
}

fn within(object: &Object, at: u64) -> bool {
    (object.start..object.end).contains(&at)
}

/// i686: the address that code of the module has in ebx, to which its own addresses are relative: DT_PLTGOT. Elsewhere code has the
/// program counter.
fn offset_table(object: &Object) -> u64 {
    if !cfg!(target_arch = "x86") || object.dynamic == 0 {
        return 0;
    }
    const DT_PLTGOT: u32 = 3;
    for entry in 0..64 {
        let at = object.dynamic + entry * 8;
        match (read(at), read(at + 4)) {
            (Some(DT_PLTGOT), Some(value)) => {
                // Loaders have put the address there, or left it as the linker wrote it.
                let value = u64::from(value);
                return if within(object, value) { value } else { value + object.bias };
            }
            (Some(tag), Some(_)) if tag != 0 => {}
            _ => return 0,
        }
    }
    0
}

/// Four bytes of memory that may not be there.
fn read(at: u64) -> Option<u32> {
    // The probe looks at eight bytes.
    let probed = at & !7;
    if !sys::readable(probed) || at & 7 > 4 && !sys::readable(probed + 8) {
        return None;
    }
    // SAFETY: just probed.
    Some(unsafe { (at as usize as *const u32).read_unaligned() })
}

/// Does the module name what the owner exports there?
fn shares(owner: &Object, variable: u64, module: &Object) -> bool {
    symbols::data(owner, variable.wrapping_sub(owner.bias)).is_some_and(|(name, _)| symbols::names(module, name))
}
