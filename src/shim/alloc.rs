//! The private allocator: everything that our own crates allocate comes from here, never from the program's heap.
//!
//! Why: `System` inside a library that exports malloc is that malloc, and a watched heap must not contain the watcher.
//! Why so simple: it serves slow paths only (a new thread, a loaded module, start), so size classes under one spin lock
//! suffice. Why a spin lock is safe: it is held for a few instructions with our guard up, so a signal handler on the
//! same thread never reaches it, and fork takes it first (see `start`).
#![allow(unsafe_code)] // Safety: a GlobalAlloc; the free lists are only touched under the lock.

use crate::spin::Spin;
use crate::sys;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;

const SMALLEST: usize = 4; // log2: 16 bytes
const CLASSES: usize = 13; // up to 64 KiB
const SLAB: usize = 256 * 1024;

struct Lists {
    free: [*mut u8; CLASSES],
    slab: usize,
    slab_left: usize,
}

pub struct Private {
    lock: Spin,
    lists: UnsafeCell<Lists>,
}

// SAFETY: `lists` is only reached under `lock`.
unsafe impl Sync for Private {}

impl Private {
    const fn new() -> Self {
        Self { lock: Spin::new(), lists: UnsafeCell::new(Lists { free: [null_mut(); CLASSES], slab: 0, slab_left: 0 }) }
    }

    /// For fork: nobody else is inside while it is held.
    pub fn lock(&self) -> &Spin {
        &self.lock
    }
}

#[global_allocator]
pub static PRIVATE: Private = Private::new();

/// The size class of a layout; `None` beyond the largest.
fn class_of(layout: &Layout) -> Option<usize> {
    let size = layout.size().max(layout.align()).max(1 << SMALLEST);
    let class = size.next_power_of_two().trailing_zeros() as usize - SMALLEST;
    (class < CLASSES).then_some(class)
}

// SAFETY: blocks of a class are disjoint, as large as the class and aligned to its size up to 4096; larger ones are
// mappings of their own, page-aligned. Larger alignments than a page are refused.
unsafe impl GlobalAlloc for Private {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(&layout) else {
            return if layout.align() > 4096 { null_mut() } else { sys::map_anonymous(layout.size()) as *mut u8 };
        };
        let _held = self.lock.hold();
        // SAFETY: under the lock.
        let lists = unsafe { &mut *self.lists.get() };
        let head = lists.free[class];
        if !head.is_null() {
            // SAFETY: a free block's first word is the next one, written by `dealloc`.
            lists.free[class] = unsafe { *head.cast::<*mut u8>() };
            return head;
        }
        let size = 1usize << (class + SMALLEST);
        let align = size.min(4096);
        let skip = lists.slab.next_multiple_of(align) - lists.slab;
        if lists.slab_left < size + skip {
            let slab = sys::map_anonymous(SLAB);
            if slab == 0 {
                return null_mut();
            }
            (lists.slab, lists.slab_left) = (slab, SLAB);
        } else {
            lists.slab += skip;
            lists.slab_left -= skip;
        }
        let block = lists.slab as *mut u8;
        lists.slab += size;
        lists.slab_left -= size;
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        let block = unsafe { self.alloc(layout) };
        // A mapping of its own is zero, and its pages are not there yet: nor need they be.
        if !block.is_null() && class_of(&layout).is_some() {
            // SAFETY: a fresh block of this size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class_of(&layout) else {
            // SAFETY: a mapping of its own, made by `alloc` with this layout.
            unsafe { sys::munmap(block as usize, layout.size()) };
            return;
        };
        let _held = self.lock.hold();
        // SAFETY: under the lock; the block is free now and at least 16 bytes.
        unsafe {
            let lists = &mut *self.lists.get();
            *block.cast::<*mut u8>() = lists.free[class];
            lists.free[class] = block;
        }
    }
}

/// So many zeroed values, as memory that nobody has touched: for a table too large to be built on a small stack.
///
/// # Safety
/// Zero is a valid value of the type.
pub unsafe fn zeroed<T>(len: usize) -> Box<[T]> {
    let Ok(layout) = Layout::array::<T>(len) else { return Box::default() };
    // SAFETY: the box has the layout that was asked for; zero is valid (the caller's).
    unsafe {
        let at = std::alloc::alloc_zeroed(layout);
        if at.is_null() {
            std::alloc::handle_alloc_error(layout);
        }
        Box::from_raw(core::ptr::slice_from_raw_parts_mut(at.cast(), len))
    }
}
