//! Stacks: from the registers of the hook to an id in the recording, without allocating, locking or calling libc.
//!
//! framehop does the unwinding, from .eh_frame, with a cache of rules per thread. A stack that this thread has unwound
//! before is *remembered* (see [`Remembered`]) and only compared; one that it has unwound at another place is recognised
//! by the hash of its addresses.
//!
//! **Modules.** The list of loaded objects is immutable; a change publishes a new one. A reader announces the list that
//! it walks in its own hazard pointer and leaves it there: the next capture with the same list needs no fence at all.
//! A retired list is freed when no hazard names it. The list is never refreshed with dl_iterate_phdr from a hook,
//! because that takes the loader's lock: it is read at start and in the dlclose hook. dlopen is not interposed, because
//! it finds its RUNPATH by its return address; an address in no known module is looked up lock-free instead
//! (`_dl_find_object`, glibc 2.35; before that the loader's debug map).
//!
//! **While a dlclose runs**, another thread might map something else where a module was: captures then stop at the
//! first frame outside of this library, whose own unwind information stays.
//!
//! **Reading the stack.** Between the stack pointer and the known top of the thread's stack every word may be read. A
//! stack pointer elsewhere (sigaltstack, coroutines) is followed page by page, each page probed first.
//!
//! i686 has no framehop: there the frame-pointer chain is walked.
#![allow(unsafe_code)] // Safety: reads are bounded as above; module data stays mapped while its module is loaded.
#![allow(clippy::unnecessary_cast)] // Fields of libc's structs have other widths on 32-bit systems.

use crate::arch::{self, Registers};
use crate::spin::Spin;
use crate::thread::State;
use crate::{options, recording, symbols, sys, thread};
use core::ffi::CStr;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, fence};
use libc::{c_int, c_void};
use record::layout::{Counter, ThreadCounter, module_flag};
use record::modules::Loaded;
use record::stacks::{Frame, MAX_FRAMES, hash, intern};

#[cfg(not(target_arch = "x86"))]
mod engine {
    pub use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder};
    pub type Native = framehop::UnwinderNative<&'static [u8], Lean>;
    pub type Cache = framehop::CacheNative<Lean>;

    /// Unwinding without allocation, and on small stacks. framehop's own policy keeps rows of 192 rules, which gimli
    /// copies over the stack at every step: 20 KiB, more than a signal stack of SIGSTKSZ or a thread of
    /// PTHREAD_STACK_MIN has. A row holds a rule per register that it mentions: the callee-saved ones, the return
    /// address and a few. One that needs more ends the walk, as any frame does that cannot be unwound.
    pub struct Lean;
    impl framehop::AllocationPolicy for Lean {
        type GimliUnwindContextStorage<R: gimli::ReaderOffset> = Lean;
        type GimliEvaluationStorage<R: gimli::Reader> = Lean;
    }
    #[cfg(target_arch = "x86_64")]
    const RULES: usize = 17;
    #[cfg(not(target_arch = "x86_64"))]
    const RULES: usize = 34;
    impl<R: gimli::ReaderOffset> gimli::UnwindContextStorage<R> for Lean {
        type Rules = [(gimli::Register, gimli::RegisterRule<R>); RULES];
        type Stack = [gimli::UnwindTableRow<R, Self>; 3];
    }
    impl<R: gimli::Reader> gimli::EvaluationStorage<R> for Lean {
        type Stack = [gimli::Value; 12];
        type ExpressionStack = [(R, R); 1];
        type Result = [gimli::Piece<R>; 1];
    }
    #[cfg(target_arch = "x86_64")]
    pub fn registers(r: &crate::arch::Registers) -> framehop::UnwindRegsNative {
        framehop::UnwindRegsNative::new(r.pc, r.sp, r.fp)
    }
    #[cfg(target_arch = "aarch64")]
    pub fn registers(r: &crate::arch::Registers) -> framehop::UnwindRegsNative {
        framehop::UnwindRegsNative::new(r.lr, r.sp, r.fp)
    }
}

/// Where an object lies and where its unwind information and symbols are.
#[derive(Clone, Copy)]
pub struct Object {
    pub start: u64,
    pub end: u64,
    pub bias: u64,
    /// Index in the recording; `None` when its table is full.
    pub recorded: Option<usize>,
    pub flags: u64,
    #[cfg_attr(target_arch = "x86", allow(dead_code))] // framehop's alone
    eh_frame_hdr: (u64, u64),
    /// The end of the segment that holds .eh_frame_hdr and .eh_frame.
    #[cfg_attr(target_arch = "x86", allow(dead_code))]
    eh_segment_end: u64,
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
    generation: u32,
    #[cfg(not(target_arch = "x86"))]
    unwinder: engine::Native,
}

static CURRENT: AtomicPtr<Modules> = AtomicPtr::new(null_mut());
/// Serialises changes of the list. Never held while the loader's lock is wanted.
pub static CHANGING: Spin = Spin::new();
static GENERATION: AtomicU32 = AtomicU32::new(0);
static UNLOADING: AtomicU32 = AtomicU32::new(0);
static RETIRED: [AtomicPtr<Modules>; 64] = [const { AtomicPtr::new(null_mut()) }; 64];
static UNLOADED: AtomicU64 = AtomicU64::new(0);
/// Our own text.
static SELF_START: AtomicU64 = AtomicU64::new(0);
static SELF_END: AtomicU64 = AtomicU64::new(0);
static FIND_OBJECT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static STACK_END: AtomicU64 = AtomicU64::new(0);

#[cfg(target_pointer_width = "32")]
use libc::{Elf32_Ehdr as Ehdr, Elf32_Phdr as Phdr};
#[cfg(target_pointer_width = "64")]
use libc::{Elf64_Ehdr as Ehdr, Elf64_Phdr as Phdr};

const CACHED: usize = 256;

#[derive(Clone, Copy, Default)]
struct Known {
    hash: u64,
    generation: u32,
    id: u32,
}

/// A full unwind, kept to be compared.
///
/// The address that a capture returns to fixes the layout of the innermost frame, and with it the slot of that frame's
/// return address. If that slot holds the remembered address, the next frame is the same function at the same call,
/// which fixes the next slot, and so on outwards: equal slots are an equal stack. Only a frame of run-time size (alloca)
/// whose other slots happen to be equal could deceive; every [`CHECK_EVERY`]th hit is unwound in full and compared, and
/// the counters say how often it was wrong.
struct Remembered {
    sp: u64,
    /// Where the capture returned to.
    from: u64,
    generation: u32,
    id: u32,
    len: u32,
    slots: [u32; SLOTS],
    values: [u64; SLOTS],
}

/// Slots are compared by so many; the last ones are repeated to fill up.
const STEP: usize = 4;
/// Frames of ours plus those of a stack of the default depth; deeper ones are not remembered.
const SLOTS: usize = 44;
const WAYS: usize = 4;
/// Of a thread; more where every block is followed.
const SETS: usize = 32;
const SETS_FULL: usize = 1024;
/// Our own frames take less than this, and above them there is always as much: the hook's caller, and what starts a thread.
const OWN_FRAMES: u32 = 2048;
/// Places of our own from which stacks are taken.
const ORIGINS: usize = 16;
const CHECK_EVERY: u64 = 4096;

impl Remembered {
    #[inline(always)]
    fn matches(&self, sp: u64, from: u64, generation: u32) -> bool {
        if self.sp != sp || self.from != from || self.generation != generation {
            return false;
        }
        // Every slot is read, whatever the one before it held: that is cheaper than to stop at the first difference.
        let mut difference = 0;
        for step in 0..self.len as usize {
            for i in step * STEP..step * STEP + STEP {
                // SAFETY: `len` steps are within the arrays (`remember`). The slots lie between this stack pointer and the top
                // of this thread's stack: they did when they were found with the same stack pointer, and the top has not moved.
                difference |= unsafe {
                    let slot = u64::from(*self.slots.get_unchecked(i));
                    *((sp + slot) as usize as *const usize) as u64 ^ *self.values.get_unchecked(i)
                };
            }
        }
        difference == 0
    }
}

/// What a thread keeps for unwinding.
pub struct Scratch {
    known: Box<[Known; CACHED]>,
    remembered: Box<[[Remembered; WAYS]]>,
    next_way: usize,
    /// The way of each set that was the right one last.
    latest: Box<[u8]>,
    /// For a place of our own from which stacks are taken: where, seen from its stack pointer, the address lies at which our
    /// own frames end. Only to spread captures over the sets: there may be many calls at one depth.
    origins: [(u64, u32); ORIGINS],
    #[cfg(not(target_arch = "x86"))]
    cache: Option<Box<engine::Cache>>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            known: boxed(Known::default()),
            remembered: zeroed(sets()),
            next_way: 0,
            latest: vec![0; sets()].into_boxed_slice(),
            origins: [(0, 0); ORIGINS],
            #[cfg(not(target_arch = "x86"))]
            cache: None,
        }
    }
}

impl Scratch {
    /// Is what unwinding needs made already?
    pub fn is_made(&self) -> bool {
        #[cfg(not(target_arch = "x86"))]
        return self.cache.is_some();
        #[cfg(target_arch = "x86")]
        true
    }

    /// For a thread that takes over an ended one's state: its stack may lie elsewhere, and end earlier.
    pub fn forget(&mut self) {
        for remembered in self.remembered.as_flattened_mut() {
            remembered.generation = 0;
        }
    }
}

fn sets() -> usize {
    if crate::heap::level() == crate::heap::Level::Full { SETS_FULL } else { SETS }
}

/// A table too large to be built on a small stack.
fn zeroed(sets: usize) -> Box<[[Remembered; WAYS]]> {
    let Ok(layout) = core::alloc::Layout::array::<[Remembered; WAYS]>(sets) else { return Box::default() };
    // SAFETY: numbers only; zero is an empty entry. The box has the layout that was asked for.
    unsafe {
        let at = std::alloc::alloc_zeroed(layout);
        if at.is_null() {
            std::alloc::handle_alloc_error(layout);
        }
        Box::from_raw(core::ptr::slice_from_raw_parts_mut(at.cast(), sets))
    }
}

/// An array of copies, built where it will lie.
pub fn boxed<T: Copy, const N: usize>(value: T) -> Box<[T; N]> {
    let mut table: Box<[core::mem::MaybeUninit<T>]> = Box::new_uninit_slice(N);
    for place in &mut table {
        place.write(value);
    }
    // SAFETY: every place was written; N of them are the array.
    unsafe { Box::from_raw(Box::into_raw(table).cast()) }
}

/// Caches made ahead, by threads that make others: framehop builds one on the stack, where a new thread may have little.
#[cfg(not(target_arch = "x86"))]
static SPARE: [AtomicPtr<engine::Cache>; 4] = [const { AtomicPtr::new(null_mut()) }; 4];

/// Before a thread is made, under the guard.
pub fn before_thread() {
    #[cfg(not(target_arch = "x86"))]
    if let Some(place) = SPARE.iter().find(|p| p.load(Relaxed).is_null()) {
        let made = Box::into_raw(new_cache());
        if place.compare_exchange(null_mut(), made, Release, Relaxed).is_err() {
            // SAFETY: just made, and not published.
            drop(unsafe { Box::from_raw(made) });
        }
    }
}

#[cfg(not(target_arch = "x86"))]
#[cold]
#[inline(never)]
fn new_cache() -> Box<engine::Cache> {
    Box::new(engine::Cache::new_in())
}

#[cfg(not(target_arch = "x86"))]
#[cold]
fn spare_cache() -> Box<engine::Cache> {
    let spare = SPARE.iter().map(|p| p.swap(null_mut(), Acquire)).find(|p| !p.is_null());
    // SAFETY: published by `before_thread`, and taken once.
    spare.map_or_else(new_cache, |p| unsafe { Box::from_raw(p) })
}

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

/// The addresses of a walk, and where they were found.
struct Walk {
    len: usize,
    /// Of all frames, ours included; meaningless when not `exact`.
    slots: usize,
    slot: [u32; SLOTS],
    value: [u64; SLOTS],
    /// Every return address was found in its slot, on the thread's own stack.
    exact: bool,
    /// The slot of the return address out of our own frames.
    origin: Option<usize>,
}

impl Walk {
    /// An instruction as a frame, unless it is one of libc: frames are return addresses, one behind their calls.
    fn begin_with(&mut self, list: &Modules, pc: u64, out: &mut [u64]) {
        self.exact = false;
        if !ours(pc) && list.object(pc).is_none_or(|o| o.flags & module_flag::LIBC == 0) {
            out[0] = pc + 1;
            self.len = 1;
        }
    }
}

/// Takes the caller's stack; its id, 0 when there is none. Under the guard, by the owning thread.
#[inline(always)]
pub fn capture(state: &'static State, scratch: &mut Scratch) -> u32 {
    let state = core::ptr::from_ref(state);
    #[cfg(target_arch = "x86")]
    return capture_at(state, scratch, arch::registers().sp, arch::registers().pc, arch::registers().fp);
    #[cfg(not(target_arch = "x86"))]
    // SAFETY: hands its arguments to `capture_at`, of whose types they are.
    unsafe {
        arch::shim_capture(state.cast(), core::ptr::from_mut(scratch).cast())
    }
}

/// As [`capture`], which is the only caller, by way of assembly: the caller's registers as they will be when it returns there.
pub extern "C" fn capture_at(state: *const State, scratch: *mut Scratch, sp: u64, from: u64, fp: u64) -> u32 {
    // SAFETY: `capture` passes references.
    let (state, scratch) = unsafe { (&*state, &mut *scratch) };
    let generation = GENERATION.load(Acquire);
    // Hooks that are called from one function are at one depth: which of its calls it is tells them apart.
    let (place, offset) = scratch.origins[(from >> 2) as usize % ORIGINS];
    let caller = if place == from {
        // SAFETY: our own frames reached that far when the same call took a stack before, and there is at least as much of
        // the stack above ours: the hook's caller.
        unsafe { *((sp + u64::from(offset)) as usize as *const usize) as u64 }
    } else {
        from
    };
    let sets = scratch.remembered.len();
    let set = ((sp >> 4) ^ (caller >> 2) ^ (caller >> 7) ^ (from >> 4)) as usize & (sets - 1);
    // A loop comes by the same way again.
    let (Some(ways), Some(latest)) = (scratch.remembered.get(set), scratch.latest.get(set)) else { return 0 };
    let way = &ways[usize::from(*latest) % WAYS];
    let unwinds = &state.entry.counters[ThreadCounter::Unwinds as usize];
    let count = unwinds.load(Relaxed);
    unwinds.store(count + 1, Relaxed);
    if count % CHECK_EVERY != 0 && way.matches(sp, from, generation) {
        return way.id;
    }
    capture_elsewhere(state, scratch, sp, from, fp, set)
}

/// The stack of one frame for an address: of a return address, or one byte behind a variable. 0: nothing is known of it.
pub fn stack_of(state: &'static State, address: u64) -> u32 {
    module_of(state, address);
    let Some(list) = modules(state) else { return 0 };
    if address == 0 || ours(address) {
        return 0;
    }
    intern(&recording::RECORDING, &[list.encode(address)])
}

/// The stack of an address behind an instruction, and of return addresses that need not be right: it ends before the first that no
/// call is in front of.
pub fn stack_of_all(state: &'static State, addresses: &[u64]) -> u32 {
    let Some(list) = modules(state) else { return 0 };
    let mut frames = [0; MAX_FRAMES];
    let mut len = 0;
    for (i, address) in addresses.iter().enumerate().take(MAX_FRAMES) {
        if ours(*address) || list.object(*address).is_none() || i > 0 && !follows_a_call(*address) {
            break;
        }
        frames[i] = list.encode(*address);
        len = i + 1;
    }
    if len == 0 { 0 } else { intern(&recording::RECORDING, &frames[..len]) }
}

/// x86: is there a call in front of the address? Direct, or through a register or memory.
fn follows_a_call(address: u64) -> bool {
    let mut code = [0; 7];
    let read = sys::read_own_memory((address as usize).wrapping_sub(code.len()), &mut code);
    let through = |len: usize| code[7 - len] == 0xff && code[8 - len] >> 3 & 7 == 2;
    read && (code[2] == 0xe8 || [2, 3, 4, 6, 7].into_iter().any(through))
}

/// The stack of what a signal interrupted, beginning with the very instruction. Under the guard, by the owning thread.
#[cold]
#[inline(never)]
pub fn capture_interrupted(state: &'static State, scratch: &mut Scratch, registers: Registers) -> u32 {
    let mut frames = [0u64; MAX_FRAMES];
    let depth = options::stack_depth().min(MAX_FRAMES);
    for attempt in 0..8 {
        let Some(list) = modules(state) else { return 0 };
        let len = walk(state, scratch, list, registers, true, &mut frames[..depth]).len;
        // As in `capture_slowly`.
        let stranger = frames[..len].iter().copied().find(|pc| list.object(*pc).is_none());
        if attempt < 7 && stranger.is_some_and(learn) {
            continue;
        }
        for pc in &mut frames[..len] {
            *pc = list.encode(*pc);
        }
        return intern(&recording::RECORDING, &frames[..len]);
    }
    0
}

/// It is not the latest way of its set.
#[cold]
#[inline(never)]
fn capture_elsewhere(state: &'static State, scratch: &mut Scratch, sp: u64, from: u64, fp: u64, set: usize) -> u32 {
    let (generation, ways) = (GENERATION.load(Acquire), &scratch.remembered[set]);
    let way = ways.iter().position(|r| r.matches(sp, from, generation));
    let hit = way.map(|way| ways[way].id);
    scratch.latest[set] = way.unwrap_or(0) as u8;
    // `capture_at` has counted this one.
    let check = state.entry.counters[ThreadCounter::Unwinds as usize].load(Relaxed) % CHECK_EVERY == 1;
    match hit {
        Some(id) if !check => id,
        _ => capture_slowly(state, scratch, Registers { pc: from, sp, fp, lr: 0 }, set, hit),
    }
}

/// Is it libc that called the hook that we are in, or somebody whom nobody knows? Needs no unwinder, which wants more stack
/// than there may be: all of our own frames have frame pointers. Under the guard, by the owning thread.
#[cold]
#[inline(never)]
pub fn called_by_libc(state: &'static State) -> bool {
    let Some(list) = modules(state) else { return true };
    let mut frame = arch::registers().fp as usize;
    for _ in 0..if cfg!(frame_pointers) { 32 } else { 0 } {
        // SAFETY: the chain of frame pointers begins with our own frame and is followed through our own functions only.
        let (next, pc) = unsafe { (*(frame as *const usize), *((frame + size_of::<usize>()) as *const usize) as u64) };
        if !ours(pc) {
            return list.object(pc).is_none_or(|o| o.flags & module_flag::LIBC != 0);
        }
        frame = next;
    }
    true
}

/// The frame pointers of our own functions that are being executed, the innermost first, and where the program's stack begins.
/// Nothing where we were built without them.
#[cold]
#[inline(always)]
pub fn own_frames<const MOST: usize>() -> Option<([usize; MOST], usize, usize)> {
    let mut frames = [0; MOST];
    let mut frame = arch::registers().fp as usize;
    for len in 0..if cfg!(frame_pointers) { MOST } else { 0 } {
        frames[len] = frame;
        // SAFETY: as in `called_by_libc`.
        let (next, pc) = unsafe { (*(frame as *const usize), *((frame + size_of::<usize>()) as *const usize) as u64) };
        if !ours(pc) {
            return Some((frames, len + 1, frame + 2 * size_of::<usize>()));
        }
        frame = next;
    }
    None
}

#[cold]
#[inline(never)]
fn capture_slowly(
    state: &'static State,
    scratch: &mut Scratch,
    registers: Registers,
    set: usize,
    hit: Option<u32>,
) -> u32 {
    let mut frames = [0u64; MAX_FRAMES];
    let depth = options::stack_depth().min(MAX_FRAMES);
    let Some(mut list) = modules(state) else { return 0 };
    let mut walked = walk(state, scratch, list, registers, false, &mut frames[..depth]);
    let mut h = hash(&frames[..walked.len]);
    let known = scratch.known[h as usize % CACHED];
    let mut id = if known.hash == h && known.generation == list.generation { known.id } else { 0 };
    if id == 0 {
        // A frame in no known module: loaded since. Learn it, and unwind again with its help.
        for _ in 0..8 {
            let stranger = frames[..walked.len].iter().copied().find(|pc| list.object(*pc).is_none());
            if !stranger.is_some_and(learn) {
                break;
            }
            let Some(now) = modules(state) else { return 0 };
            list = now;
            walked = walk(state, scratch, list, registers, false, &mut frames[..depth]);
        }
        h = hash(&frames[..walked.len]);
        let mut encoded = [0u64; MAX_FRAMES];
        for (to, pc) in encoded.iter_mut().zip(&frames[..walked.len]) {
            *to = list.encode(*pc);
        }
        id = intern(&recording::RECORDING, &encoded[..walked.len]);
        scratch.known[h as usize % CACHED] = Known { hash: h, generation: list.generation, id };
    }
    match hit {
        Some(remembered) => {
            recording::count(Counter::StacksChecked);
            if remembered != id {
                recording::count(Counter::StacksMismatched);
            }
        }
        None if walked.exact && id != 0 => remember(scratch, set, registers, list.generation, id, &walked),
        None => {}
    }
    id
}

fn remember(scratch: &mut Scratch, set: usize, at: Registers, generation: u32, id: u32, walked: &Walk) {
    if let Some(origin) = walked.origin.filter(|origin| walked.slot[*origin] < OWN_FRAMES) {
        scratch.origins[(at.pc >> 2) as usize % ORIGINS] = (at.pc, walked.slot[origin]);
    }
    let set = &mut scratch.remembered[set];
    // An outdated entry first, else in turn.
    let way = set.iter().position(|r| r.generation != generation).unwrap_or(scratch.next_way % WAYS);
    scratch.next_way = scratch.next_way.wrapping_add(1);
    let to = &mut set[way];
    to.generation = 0;
    let steps = walked.slots.div_ceil(STEP);
    for i in 0..steps * STEP {
        let from = i.min(walked.slots - 1);
        (to.slots[i], to.values[i]) = (walked.slot[from], walked.value[from]);
    }
    (to.sp, to.from, to.len, to.id) = (at.sp, at.pc, steps as u32, id);
    to.generation = generation;
}

impl Modules {
    pub fn object(&self, pc: u64) -> Option<&Object> {
        let after = self.objects.partition_point(|o| o.start <= pc);
        self.objects.get(after.checked_sub(1)?).filter(|o| pc < o.end)
    }

    fn encode(&self, pc: u64) -> u64 {
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

fn ours(pc: u64) -> bool {
    (SELF_START.load(Relaxed)..SELF_END.load(Relaxed)).contains(&pc)
}

/// Reads stack words with bounds.
struct Reader {
    low: u64,
    /// Words below this may be read.
    end: u64,
    on_stack: bool,
    probes: u32,
}

impl Reader {
    fn new(state: &State, sp: u64) -> Self {
        let (low, high) = state.readable_stack(sp);
        let on_stack = sp >= low && sp < high;
        Self { low: sp, end: if on_stack { high } else { (sp | 4095) + 1 }, on_stack, probes: 0 }
    }

    fn read(&mut self, at: u64) -> Result<u64, ()> {
        const WORD: u64 = size_of::<usize>() as u64;
        if at < self.low || at % WORD != 0 {
            return Err(());
        }
        while at + WORD > self.end {
            if self.on_stack || at + WORD > self.end + 4096 || self.probes == 64 || !sys::readable(self.end) {
                return Err(());
            }
            self.probes += 1;
            self.end += 4096;
        }
        // SAFETY: aligned, between the stack pointer and the end of what is known to be mapped.
        Ok(unsafe { *(at as usize as *const usize) } as u64)
    }
}

/// `interrupted`: it begins at an instruction, which is a frame, and not at a return into our own library.
#[cfg(not(target_arch = "x86"))]
fn walk(
    state: &'static State,
    scratch: &mut Scratch,
    list: &Modules,
    start: Registers,
    interrupted: bool,
    out: &mut [u64],
) -> Walk {
    use engine::{FrameAddress, Unwinder};
    let cache = scratch.cache.get_or_insert_with(spare_cache);
    let mut reader = Reader::new(state, start.sp);
    let mut walked =
        Walk { len: 0, slots: 0, slot: [0; SLOTS], value: [0; SLOTS], exact: reader.on_stack, origin: None };
    let mut registers = engine::registers(&start);
    let Some(mut at) = FrameAddress::from_return_address(start.pc) else { return walked };
    if interrupted {
        at = FrameAddress::from_instruction_pointer(start.pc);
        walked.begin_with(list, start.pc, out);
    }
    let first_only = UNLOADING.load(Acquire) != 0;
    // Our own frames come first; a bound on all keeps a damaged stack from going round in circles.
    for _ in 0..out.len() + 16 {
        let next = list.unwinder.unwind_frame(at, &mut registers, cache, &mut |at| reader.read(at));
        let pc = match next {
            Ok(Some(pc)) => pc,
            Ok(None) => break,
            // A null return address or a frame pointer that goes nowhere is how the outermost frame looks where
            // nothing marks it.
            Err(error) => {
                if matches!(error, framehop::Error::CouldNotReadStack(_)) {
                    recording::count(Counter::StacksTruncated);
                }
                break;
            }
        };
        let Some(address) = FrameAddress::from_return_address(pc) else { break };
        at = address;
        // On x86_64 the return address lies just below the caller's stack pointer, but for signal frames.
        let slot = registers.sp().wrapping_sub(8);
        walked.exact &= cfg!(target_arch = "x86_64") && walked.slots < SLOTS && reader.read(slot) == Ok(pc);
        if walked.exact {
            walked.slot[walked.slots] = (slot - start.sp) as u32;
            walked.value[walked.slots] = pc;
            walked.slots += 1;
        }
        // frames[0] is the program's call, never ours and never one of libc on its own behalf.
        if walked.len == 0 {
            let own = ours(pc);
            if !own && walked.origin.is_none() {
                walked.origin = walked.slots.checked_sub(1);
            }
            if own || list.object(pc).is_some_and(|o| o.flags & module_flag::LIBC != 0) {
                continue;
            }
        }
        out[walked.len] = pc;
        walked.len += 1;
        if walked.len == out.len() || first_only {
            walked.exact &= !first_only;
            break;
        }
    }
    walked
}

#[cfg(target_arch = "x86")]
fn walk(
    state: &'static State,
    _: &mut Scratch,
    list: &Modules,
    start: Registers,
    interrupted: bool,
    out: &mut [u64],
) -> Walk {
    let mut reader = Reader::new(state, start.sp);
    let mut walked = Walk { len: 0, slots: 0, slot: [0; SLOTS], value: [0; SLOTS], exact: false, origin: None };
    if interrupted {
        walked.begin_with(list, start.pc, out);
    }
    let (mut fp, mut len) = (start.fp, walked.len);
    for _ in 0..out.len() + 16 {
        let (Ok(next), Ok(pc)) = (reader.read(fp), reader.read(fp + 4)) else { break };
        let known = list.object(pc);
        if pc == 0 || next <= fp {
            break;
        }
        fp = next;
        if len == 0 && (ours(pc) || known.is_some_and(|o| o.flags & module_flag::LIBC != 0)) {
            continue;
        }
        out[len] = pc;
        len += 1;
        if len == out.len() {
            break;
        }
    }
    walked.len = len;
    walked
}

/// Builds the first list. At start, by the thread that starts us, with no lock of the program's held.
pub fn start() {
    // SAFETY: names are NUL-terminated; `__libc_stack_end` is a pointer variable of the loader (GLIBC_2.2.5 / 2.17).
    unsafe {
        let (find, end) = thread::inside_libc(|| {
            let find = libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr());
            let end = libc::dlsym(libc::RTLD_DEFAULT, c"__libc_stack_end".as_ptr());
            if find.is_null() || end.is_null() {
                crate::resolve::forget_failure();
            }
            (find, end)
        });
        FIND_OBJECT.store(find, Relaxed);
        if !end.is_null() {
            let at = *end.cast::<usize>() as u64;
            STACK_END.store((at | 4095) + 1, Relaxed);
        }
    }
    reread();
}

/// The end of the main thread's stack, rounded up to a page.
pub fn main_stack_end() -> Option<u64> {
    Some(STACK_END.load(Relaxed)).filter(|e| *e != 0)
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

fn capture_marker() {}

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

/// `name` is empty for the program itself.
fn examine(bias: u64, name: &CStr, headers: &[Phdr], first: bool) -> Option<Object> {
    let (mut start, mut end, mut eh, mut dynamic) = (u64::MAX, 0, (0, 0), 0);
    let mut build_id: &[u8] = &[];
    for h in headers {
        let at = bias.wrapping_add(h.p_vaddr as u64);
        match h.p_type {
            libc::PT_LOAD => {
                start = start.min(at & !4095);
                end = end.max(at + h.p_memsz as u64);
            }
            libc::PT_GNU_EH_FRAME => eh = (at, h.p_memsz as u64),
            libc::PT_DYNAMIC => dynamic = at,
            libc::PT_NOTE if build_id.is_empty() => {
                // SAFETY: the loader mapped this segment for as long as the object lives.
                let notes = unsafe { core::slice::from_raw_parts(at as usize as *const u8, h.p_memsz as usize) };
                build_id = find_build_id(notes);
            }
            _ => {}
        }
    }
    if start >= end {
        return None;
    }
    let eh_segment_end = headers
        .iter()
        .filter(|h| h.p_type == libc::PT_LOAD)
        .map(|h| (bias.wrapping_add(h.p_vaddr as u64), h.p_memsz as u64))
        .find(|(at, len)| (*at..at + len).contains(&eh.0))
        .map_or(0, |(at, len)| at + len);
    let mut exe = [0u8; 1024];
    let path = if name.is_empty() && first {
        let n = sys::readlink(b"/proc/self/exe\0", &mut exe).max(0) as usize;
        &exe[..n]
    } else {
        absolute(name, &mut exe)
    };
    if path.is_empty() {
        // A second nameless object: the vDSO of old loaders.
        return None;
    }
    let own = capture_marker as *const () as u64;
    let mut flags = 0;
    if first && name.is_empty() {
        flags |= module_flag::MAIN;
    }
    if symbols::is_libc(path) {
        flags |= module_flag::LIBC;
    }
    if (start..end).contains(&own) {
        flags |= module_flag::SHIM;
    }
    let loaded = Loaded { path, build_id, bias, start, end, flags };
    let recorded = record::modules::register(&recording::RECORDING, &loaded, sys::now());
    Some(Object { start, end, bias, recorded, flags, eh_frame_hdr: eh, eh_segment_end, dynamic })
}

/// The name that the loader knows, from the root when it can be: dlopen may have been given one relative to the directory of
/// that moment, which is still this one as a rule.
fn absolute<'a>(name: &'a CStr, room: &'a mut [u8; 1024]) -> &'a [u8] {
    let given = name.to_bytes();
    if given.is_empty() || given.starts_with(b"/") || !given.contains(&b'/') {
        return given;
    }
    let n = sys::readlink(b"/proc/self/cwd\0", room).max(0) as usize;
    let len = n + 1 + given.len();
    if n == 0 || len >= room.len() {
        return given;
    }
    room[n] = b'/';
    room[n + 1..len].copy_from_slice(given);
    room[len] = 0;
    if sys::identity_of_path(&room[..=len]).is_some() { &room[..len] } else { given }
}

fn find_build_id(notes: &'static [u8]) -> &'static [u8] {
    let mut rest = notes;
    while rest.len() >= 12 {
        let word = |i: usize| u32::from_le_bytes([rest[i], rest[i + 1], rest[i + 2], rest[i + 3]]) as usize;
        let (name, desc, kind) = (word(0), word(4), word(8));
        let desc_at = 12 + name.next_multiple_of(4);
        let Some(content) = rest.get(desc_at..desc_at + desc) else { break };
        if kind == 3 && rest.get(12..16) == Some(b"GNU\0") {
            return content;
        }
        rest = rest.get(desc_at + desc.next_multiple_of(4)..).unwrap_or(&[]);
    }
    &[]
}

/// Adds the object that contains `pc`. Lock-free towards the loader. False when nobody knows it.
#[cold]
fn learn(pc: u64) -> bool {
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

/// The public head of glibc's `struct link_map` (<link.h>).
#[repr(C)]
#[derive(Clone, Copy)]
struct LinkMap {
    address: usize,
    name: *const libc::c_char,
    dynamic: usize,
    next: *const LinkMap,
    previous: *const LinkMap,
}

/// `struct dl_find_object` of <dlfcn.h>, glibc 2.35.
#[repr(C)]
struct FoundObject {
    flags: u64,
    start: *mut c_void,
    end: *mut c_void,
    map: *const LinkMap,
    eh_frame: *mut c_void,
    reserved: [u64; 8],
}

fn find_link_map(pc: u64) -> Option<LinkMap> {
    let find = FIND_OBJECT.load(Relaxed);
    if !find.is_null() {
        let mut found = core::mem::MaybeUninit::<FoundObject>::zeroed();
        // SAFETY: `_dl_find_object` is lock-free and async-signal-safe; it fills the struct when it returns 0, and the
        // map lives while its code is on our stack.
        unsafe {
            let find: unsafe extern "C" fn(*mut c_void, *mut FoundObject) -> c_int = core::mem::transmute(find);
            return (find(pc as usize as *mut c_void, found.as_mut_ptr()) == 0)
                .then(|| found.assume_init().map)
                .filter(|map| !map.is_null())
                .map(|map| *map);
        }
    }
    find_in_debug_map(pc)
}

/// Before glibc 2.35: the debugger's list, each node probed before it is read. The object that we look for cannot go
/// away, its code is on our stack; the others may, which is why the list is only believed while the loader says that it
/// is consistent.
fn find_in_debug_map(pc: u64) -> Option<LinkMap> {
    #[repr(C)]
    struct Debug {
        version: c_int,
        map: *const LinkMap,
        brk: usize,
        state: c_int,
        base: usize,
    }
    unsafe extern "C" {
        static _r_debug: Debug;
    }
    // SAFETY: a variable of the loader; nodes are probed before they are read.
    unsafe {
        let debug = &raw const _r_debug;
        if core::ptr::read_volatile(&raw const (*debug).state) != 0 {
            return None;
        }
        let mut at = core::ptr::read_volatile(&raw const (*debug).map);
        for _ in 0..4096 {
            if at.is_null() || !sys::readable(at as u64) || !sys::readable(at as u64 + 32) {
                return None;
            }
            let node = core::ptr::read_volatile(at);
            if let Some(object) = extent(node.address as u64) {
                if object.contains(&pc) {
                    return Some(node);
                }
            }
            at = node.next;
        }
    }
    None
}

/// The program headers behind a load address, when its first page is an ELF header.
fn headers(base: u64) -> Option<&'static [Phdr]> {
    if base == 0 || base % 4096 != 0 || !sys::readable(base) {
        return None;
    }
    // SAFETY: the page is readable; the header and the table behind it lie in the first mapped page as linkers lay them
    // out, which is checked.
    unsafe {
        let header = &*(base as usize as *const Ehdr);
        let table = header.e_phoff as usize;
        let len = usize::from(header.e_phnum) * size_of::<Phdr>();
        if header.e_ident[..4] != [0x7f, b'E', b'L', b'F'] || table + len > 4096 {
            return None;
        }
        let first = (base as usize + table) as *const Phdr;
        Some(core::slice::from_raw_parts(first, usize::from(header.e_phnum)))
    }
}

fn extent(base: u64) -> Option<core::ops::Range<u64>> {
    let loads = headers(base)?.iter().filter(|h| h.p_type == libc::PT_LOAD);
    let end = loads.map(|h| base + h.p_vaddr as u64 + h.p_memsz as u64).max()?;
    Some(base..end)
}

fn examine_link_map(map: &LinkMap) -> Option<Object> {
    let base = map.address as u64;
    if map.name.is_null() || !sys::readable(map.name as u64) {
        return None;
    }
    // SAFETY: the loader's own string, alive with its object.
    let name = unsafe { CStr::from_ptr(map.name) };
    examine(base, name, headers(base)?, false)
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
    let list = Box::new(Modules {
        #[cfg(not(target_arch = "x86"))]
        unwinder: unwinder(&objects),
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

#[cfg(not(target_arch = "x86"))]
fn unwinder(objects: &[Object]) -> engine::Native {
    use engine::{ExplicitModuleSectionInfo, Module, Unwinder};
    let mut native = engine::Native::new();
    for o in objects {
        let (hdr, hdr_len) = o.eh_frame_hdr;
        if hdr == 0 || o.eh_segment_end < hdr + hdr_len {
            continue;
        }
        // SAFETY: mapped by the loader for as long as the object lives; `around_unload` keeps captures away meanwhile.
        let bytes = |from: u64, to: u64| unsafe {
            core::slice::from_raw_parts(from as usize as *const u8, to.saturating_sub(from) as usize)
        };
        let Some(eh) = eh_frame_address(hdr, bytes(hdr, hdr + hdr_len)).filter(|eh| (o.start..o.end).contains(eh))
        else {
            continue;
        };
        // .eh_frame has no length of its own: it ends with its terminator, at the latest with its segment.
        let eh_end = if eh > hdr { o.eh_segment_end } else { hdr };
        let info = ExplicitModuleSectionInfo {
            base_svma: 0,
            eh_frame_hdr_svma: Some(hdr - o.bias..hdr - o.bias + hdr_len),
            eh_frame_hdr: Some(bytes(hdr, hdr + hdr_len)),
            eh_frame_svma: Some(eh - o.bias..eh_end - o.bias),
            eh_frame: Some(bytes(eh, eh_end)),
            ..Default::default()
        };
        native.add_module(Module::new(String::new(), o.start..o.end, o.bias, info));
    }
    native
}

/// Decodes `eh_frame_ptr` of .eh_frame_hdr (LSB Core, "Exception Frame Header").
#[cfg(not(target_arch = "x86"))]
fn eh_frame_address(at: u64, hdr: &[u8]) -> Option<u64> {
    let word = |i: usize| hdr.get(i..i + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    match (hdr.first()?, hdr.get(1)?) {
        // DW_EH_PE_pcrel | DW_EH_PE_sdata4, what every linker writes.
        (1, 0x1b) => Some((at + 4).wrapping_add_signed(i64::from(word(4)? as i32))),
        // DW_EH_PE_pcrel | DW_EH_PE_udata4.
        (1, 0x13) => Some((at + 4).wrapping_add(u64::from(word(4)?))),
        _ => None,
    }
}

/// After fork, in the child: the other threads are gone, and so are the dlcloses that they were in.
pub fn after_fork() {
    UNLOADING.store(0, Relaxed);
}
