//! The list of loaded objects: who knows which address, and how the list changes under those who walk it.
//!
//! The list is immutable; a change publishes a new one. A reader announces the list that it walks in its own hazard pointer and leaves
//! it there: the next capture with the same list needs no fence at all. A retired list is freed when no hazard names it. The list is
//! never refreshed with dl_iterate_phdr from a hook, because that takes the loader's lock: it is read at start and in the dlclose hook.
//! dlopen is not interposed, because it finds its RUNPATH by its return address; an address in no known module is looked up lock-free
//! instead (see [`super::loader`]).
//!
//! **While a dlclose runs**, another thread might map something else where a module was: captures then stop at the
//! first frame outside of this library, whose own unwind information stays.
#![allow(unsafe_code)] // Safety: a list is freed when it is not current and no hazard names it.
#![allow(clippy::unnecessary_cast)] // Fields of libc's structs have other widths on 32-bit systems.

#[cfg(not(target_arch = "x86"))]
use super::engine;
use super::loader::{Phdr, examine, examine_link_map, find_link_map};
use crate::spin::Spin;
use crate::thread::State;
use crate::{recording, sys, thread};
use core::ffi::CStr;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, fence};
use libc::{c_int, c_void};
use record::stacks::Frame;

/// Where an object lies and where its unwind information and symbols are.
#[derive(Clone, Copy)]
pub struct Object {
    pub start: u64,
    pub end: u64,
    pub bias: u64,
    /// Index in the recording; `None` when its table is full.
    pub recorded: Option<usize>,
    pub flags: u64,
    pub(super) eh_frame_hdr: (u64, u64),
    /// The end of the segment that holds .eh_frame_hdr and .eh_frame.
    pub(super) eh_segment_end: u64,
    pub dynamic: u64,
}

impl Object {
    /// What its program headers alone say.
    pub fn bare(bias: u64, headers: &[Phdr]) -> Self {
        let (mut start, mut end, mut dynamic) = (u64::MAX, 0, 0);
        for h in headers {
            let at = bias.wrapping_add(h.p_vaddr as u64);
            match h.p_type {
                libc::PT_LOAD => {
                    start = start.min(at & !4095);
                    end = end.max(at + h.p_memsz as u64);
                }
                libc::PT_DYNAMIC => dynamic = at,
                _ => {}
            }
        }
        Self { start, end, bias, recorded: None, flags: 0, eh_frame_hdr: (0, 0), eh_segment_end: 0, dynamic }
    }
}

/// An immutable list of objects, sorted by address, and the unwinder that knows them.
pub struct Modules {
    pub objects: Vec<Object>,
    pub(super) generation: u32,
    #[cfg(not(target_arch = "x86"))]
    pub(super) unwinder: engine::Native,
}

static CURRENT: AtomicPtr<Modules> = AtomicPtr::new(null_mut());
/// Serialises changes of the list. Never held while the loader's lock is wanted.
pub static CHANGING: Spin = Spin::new();
pub(super) static GENERATION: AtomicU32 = AtomicU32::new(0);
/// How often an address lost its module. What was known of addresses may be of another module now.
pub(super) static ENDS: AtomicU32 = AtomicU32::new(0);
pub(super) static UNLOADING: AtomicU32 = AtomicU32::new(0);
static RETIRED: [AtomicPtr<Modules>; 64] = [const { AtomicPtr::new(null_mut()) }; 64];
static UNLOADED: AtomicU64 = AtomicU64::new(0);
/// Our own text.
static SELF_START: AtomicU64 = AtomicU64::new(0);
static SELF_END: AtomicU64 = AtomicU64::new(0);

/// The list of objects, safe to walk by this thread until its next call.
pub fn modules(state: &State) -> Option<&'static Modules> {
    let mut current = CURRENT.load(Acquire);
    while state.hazard.load(Relaxed) != current {
        state.hazard.store(current, SeqCst);
        let again = CURRENT.load(SeqCst);
        if again == current {
            break;
        }
        current = again;
    }
    // SAFETY: announced in our hazard pointer and still current after that: `publish` will see it before it frees.
    unsafe { current.as_ref() }
}

/// The object that holds an address, whoever has loaded it since the list was made.
pub fn module_of(state: &'static State, at: u64) -> Option<Object> {
    for _ in 0..2 {
        if let Some(object) = modules(state)?.object(at) {
            return Some(*object);
        }
        if !learn(at) {
            break;
        }
    }
    None
}

/// The list at start, when nobody else can change it.
pub fn with_modules(f: impl FnOnce(&Modules)) {
    // SAFETY: null, or the list that `start` has just made; retired ones need a later `publish`.
    if let Some(list) = unsafe { CURRENT.load(Acquire).as_ref() } {
        f(list);
    }
}

impl Modules {
    pub fn object(&self, pc: u64) -> Option<&Object> {
        let after = self.objects.partition_point(|o| o.start <= pc);
        self.objects.get(after.checked_sub(1)?).filter(|o| pc < o.end)
    }

    pub(super) fn encode(&self, pc: u64) -> u64 {
        match self.object(pc) {
            Some(Object { recorded: Some(index), bias, .. }) => Frame::in_module(*index, pc.wrapping_sub(*bias)).0,
            _ => Frame::bare(pc).0,
        }
    }

    /// A return address as a frame of a stack; nothing when it lies in our own library.
    pub fn frame(&self, pc: u64) -> Option<u64> {
        (!ours(pc)).then(|| self.encode(pc))
    }

    pub fn by_record(&self, index: usize) -> Option<&Object> {
        self.objects.iter().find(|o| o.recorded == Some(index))
    }
}

pub(super) fn ours(pc: u64) -> bool {
    (SELF_START.load(Relaxed)..SELF_END.load(Relaxed)).contains(&pc)
}

/// Reads the whole list with dl_iterate_phdr. Outside of the guard's hot paths: at start, and after dlclose.
pub fn reread() {
    struct Found {
        objects: Vec<Object>,
        unloaded: u64,
    }
    unsafe extern "C" fn each(info: *mut libc::dl_phdr_info, size: usize, data: *mut c_void) -> c_int {
        // SAFETY: the loader passes a valid info and our own `Found`.
        unsafe {
            let found = &mut *data.cast::<Found>();
            if size >= core::mem::offset_of!(libc::dl_phdr_info, dlpi_subs) + 8 {
                found.unloaded = (*info).dlpi_subs;
            }
            let headers = core::slice::from_raw_parts((*info).dlpi_phdr, usize::from((*info).dlpi_phnum));
            let name = if (*info).dlpi_name.is_null() { c"" } else { CStr::from_ptr((*info).dlpi_name) };
            let first = found.objects.is_empty();
            if let Some(object) = examine((*info).dlpi_addr as u64, name, headers, first) {
                found.objects.push(object);
            }
        }
        0
    }
    let mut found = Found { objects: Vec::new(), unloaded: 0 };
    thread::inside_libc(|| {
        // SAFETY: `each` has the right type and `found` outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut found).cast()) }
    });
    let _held = CHANGING.hold();
    let own = capture_marker as *const () as u64;
    if let Some(object) = found.objects.iter().find(|o| (o.start..o.end).contains(&own)) {
        SELF_START.store(object.start, Relaxed);
        SELF_END.store(object.end, Relaxed);
    }
    UNLOADED.store(found.unloaded, Relaxed);
    publish(found.objects, true);
}

pub(super) fn capture_marker() {}

/// Runs the real dlclose between two states of the list. With its result: was something unloaded?
pub fn around_unload<R>(f: impl FnOnce() -> R) -> (R, bool) {
    UNLOADING.fetch_add(1, SeqCst);
    let result = f();
    let mut changed = false;
    if let thread::Entry::Full(_scope) = thread::enter() {
        // Most dlcloses only count down: ask before rebuilding.
        let mut unloaded = 0u64;
        unsafe extern "C" fn first(info: *mut libc::dl_phdr_info, size: usize, data: *mut c_void) -> c_int {
            // SAFETY: as in `reread`; `data` is a u64.
            unsafe {
                if size >= core::mem::offset_of!(libc::dl_phdr_info, dlpi_subs) + 8 {
                    *data.cast::<u64>() = (*info).dlpi_subs;
                }
            }
            1
        }
        thread::inside_libc(|| {
            // SAFETY: as in `reread`.
            unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut unloaded).cast()) }
        });
        if unloaded == 0 || unloaded != UNLOADED.load(Relaxed) {
            reread();
            changed = true;
        }
    }
    UNLOADING.fetch_sub(1, SeqCst);
    (result, changed)
}

/// Adds the object that contains `pc`. Lock-free towards the loader. False when nobody knows it.
#[cold]
pub(super) fn learn(pc: u64) -> bool {
    let Some(map) = find_link_map(pc) else { return false };
    let Some(_held) = CHANGING.try_hold() else { return false };
    // SAFETY: current and only replaced under CHANGING.
    let Some(current) = (unsafe { CURRENT.load(Acquire).as_ref() }) else { return false };
    if current.object(pc).is_some() {
        return true;
    }
    let Some(object) = examine_link_map(&map) else { return false };
    if !(object.start..object.end).contains(&pc) {
        return false;
    }
    let mut objects: Vec<Object> =
        current.objects.iter().copied().filter(|o| o.end <= object.start || o.start >= object.end).collect();
    objects.push(object);
    publish(objects, false);
    true
}

/// Makes the list current and frees what nobody walks any more. Under `CHANGING`. `whole`: what is missing is gone.
fn publish(mut objects: Vec<Object>, whole: bool) {
    objects.sort_by_key(|o| o.start);
    crate::descriptors::look_for_select(&objects);
    let generation = GENERATION.load(Relaxed) + 1;
    let old = CURRENT.load(Relaxed);
    // SAFETY: only replaced under CHANGING, which is held.
    if let Some(old) = unsafe { old.as_ref() }.filter(|_| whole) {
        for (object, gone) in old.objects.iter().filter_map(|o| Some((o, o.recorded?))) {
            if !objects.iter().any(|o| o.recorded == Some(gone)) {
                record::modules::unloaded(&recording::RECORDING, gone, sys::now());
                crate::locks::order::memory_ends(object.start as usize, (object.end - object.start) as usize);
            }
        }
    }
    // SAFETY: as above.
    if let Some(old) = unsafe { old.as_ref() } {
        let stays = |o: &Object| {
            let at = objects.binary_search_by_key(&o.start, |new| new.start);
            at.is_ok_and(|at| objects[at].end == o.end && objects[at].recorded == o.recorded)
        };
        if !old.objects.iter().all(stays) {
            ENDS.fetch_add(1, Release);
        }
    }
    let list = Box::new(Modules {
        #[cfg(not(target_arch = "x86"))]
        unwinder: engine::unwinder(&objects),
        objects,
        generation,
    });
    CURRENT.store(Box::into_raw(list), SeqCst);
    GENERATION.store(generation, Release);
    if !old.is_null() {
        // 64 lists pinned by as many idle threads, and then some: leak one rather than free it under a reader.
        let _ = RETIRED.iter().any(|r| r.compare_exchange(null_mut(), old, Release, Relaxed).is_ok());
    }
    fence(SeqCst);
    for retired in &RETIRED {
        let list = retired.load(Relaxed);
        if !list.is_null() && !thread::registry().any(|t| t.hazard.load(SeqCst) == list) {
            retired.store(null_mut(), Relaxed);
            // SAFETY: no hazard names it, and it is not current, so no thread can begin to walk it.
            drop(unsafe { Box::from_raw(list) });
        }
    }
}
