//! aarch64: see [`super`] for the contract of each item.

use core::arch::{asm, global_asm};
use core::ptr::NonNull;

global_asm!(
    ".pushsection .tbss,\"awT\",@nobits",
    ".hidden shim_thread_block",
    ".globl shim_thread_block",
    ".type shim_thread_block,@object",
    ".size shim_thread_block,{len}",
    ".p2align 6",
    "shim_thread_block:",
    ".zero {len}",
    ".popsection",
    len = const super::THREAD_BLOCK_LEN,
);

#[inline(always)]
pub fn thread_block() -> Option<NonNull<u8>> {
    let mut block: usize;
    let vector: usize;
    // SAFETY: reads the thread pointer, the thread's vector of TLS blocks behind it, and the offset of our own TLS symbol.
    unsafe {
        asm!("mrs {0}, tpidr_el0", "ldr {1}, [{0}]", out(reg) block, out(reg) vector,
            options(pure, nomem, nostack, preserves_flags));
        if vector == 0 {
            return None;
        }
        asm!(
            "adrp {1}, :gottprel:shim_thread_block",
            "ldr {1}, [{1}, :gottprel_lo12:shim_thread_block]",
            "add {0}, {0}, {1}",
            inlateout(reg) block,
            out(reg) _,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    // SAFETY: within the TLS.
    Some(unsafe { NonNull::new_unchecked(block as *mut u8) })
}

/// # Safety
/// As the system call.
#[inline(always)]
pub unsafe fn syscall6(number: usize, a: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel's calling convention. What the call does is the caller's affair.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a[0] as isize => result,
            in("x1") a[1], in("x2") a[2], in("x3") a[3], in("x4") a[4], in("x5") a[5],
            options(nostack)
        );
    }
    result
}

/// See [`super`].
#[inline(always)]
pub fn saved_registers() -> [u64; super::SAVED] {
    let mut saved = [0; super::SAVED];
    // SAFETY: writes ten words of the array; registers are only read.
    unsafe {
        asm!("stp x19, x20, [{0}]", "stp x21, x22, [{0}, #16]", "stp x23, x24, [{0}, #32]", "stp x25, x26, [{0}, #48]",
            "stp x27, x28, [{0}, #64]", in(reg) saved.as_mut_ptr(), options(nostack, preserves_flags));
    }
    saved
}

/// See [`super`]. The flag comes from `build.rs`, which looks whether every function of ours keeps its frame pointer.
#[inline(always)]
pub fn return_address() -> u64 {
    #[cfg(frame_pointers)]
    {
        let address: u64;
        // As on x86_64.
        // SAFETY: with frame pointers x29 is that of the function we are inlined into, whose return address lies above it.
        unsafe {
            asm!("ldr {0}, [x29, #8]", out(reg) address, out("x20") _,
                options(readonly, nostack, preserves_flags));
        }
        u64::from(address)
    }
    #[cfg(not(frame_pointers))]
    0
}

#[inline(always)]
pub fn stack_pointer() -> u64 {
    let at: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {0}, sp", out(reg) at, options(nomem, nostack, preserves_flags)) };
    at
}

#[inline(always)]
pub fn registers() -> super::Registers {
    let (pc, sp, fp, lr): (u64, u64, u64, u64);
    // SAFETY: reads registers only.
    unsafe {
        asm!("adr {0}, .", "mov {1}, sp", "mov {2}, x29", "mov {3}, x30", out(reg) pc, out(reg) sp, out(reg) fp,
            out(reg) lr, options(nomem, nostack, preserves_flags));
    }
    super::Registers { pc, sp, fp, lr }
}

// See x86_64 for why.
global_asm!(
    ".text",
    ".globl shim_capture",
    ".hidden shim_capture",
    ".type shim_capture,%function",
    "shim_capture:",
    "mov x2, sp",
    "mov x3, x30",
    "mov x4, x29",
    "b {capture}",
    ".size shim_capture, . - shim_capture",
    capture = sym crate::unwind::capture_at,
);

// Destructors of keys: each entry point has its number, and all jump to one place. See [`super::key_stub`].
global_asm!(
    ".text",
    ".globl shim_key_stubs",
    ".hidden shim_key_stubs",
    ".p2align 4",
    "shim_key_stubs:",
    ".set shim_key_number, 0",
    ".rept {count}",
    ".p2align 4",
    "mov w1, #shim_key_number",
    "b 8f",
    ".set shim_key_number, shim_key_number + 1",
    ".endr",
    ".p2align 4",
    "8:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-32]!",
    ".cfi_def_cfa_offset 32",
    ".cfi_offset x29, -32",
    ".cfi_offset x30, -24",
    "mov x29, sp",
    "str x0, [sp, #16]",
    "mov w0, w1",
    "bl {ask}",
    "mov x16, x0",
    "ldr x0, [sp, #16]",
    "ldp x29, x30, [sp], #32",
    ".cfi_def_cfa_offset 0",
    ".cfi_restore x29",
    ".cfi_restore x30",
    "cbz x16, 9f",
    "br x16",
    "9: ret",
    ".cfi_endproc",
    count = const track::key::KEYS,
    ask = sym crate::keys::shim_key_destructor,
);

// vfork is clone(CLONE_VFORK | CLONE_VM | SIGCHLD) here; the return address stays in x30, which the kernel preserves
// for both (glibc sysdeps/unix/sysv/linux/aarch64/vfork.S).
global_asm!(
    ".text",
    ".globl shim_vfork",
    ".hidden shim_vfork",
    ".type shim_vfork,%function",
    "shim_vfork:",
    "mrs x10, tpidr_el0",
    "ldr x9, [x10]",
    "cbz x9, 4f",
    "adrp x9, :gottprel:shim_thread_block",
    "ldr x9, [x9, :gottprel_lo12:shim_thread_block]",
    "add x9, x9, x10",
    "5: ldr w10, [x9, {flag}]",
    "add w10, w10, 1",
    "str w10, [x9, {flag}]",
    "mov x0, 0x4111",
    "mov x1, 0",
    "mov x8, 220",
    "svc 0",
    "cbz x0, 2f",
    "ldr w10, [x9, {flag}]",
    "sub w10, w10, 1",
    "str w10, [x9, {flag}]",
    "tbnz x0, 63, 3f",
    "2: ret",
    "3: neg w0, w0",
    "b {failed}",
    "4: adrp x9, {foreign}",
    "add x9, x9, :lo12:{foreign}",
    "b 5b",
    ".size shim_vfork, . - shim_vfork",
    flag = const super::VFORK_FLAG,
    foreign = sym crate::thread::beside::FOREIGN,
    failed = sym super::set_errno_and_fail,
);

// See x86_64 for why.
global_asm!(
    ".text",
    ".weak __cxa_thread_atexit_impl",
    ".hidden __cxa_thread_atexit_impl",
    ".type __cxa_thread_atexit_impl,%function",
    "__cxa_thread_atexit_impl:",
    "b {register}",
    ".size __cxa_thread_atexit_impl, . - __cxa_thread_atexit_impl",
    register = sym crate::thread::register_destructor,
);

// dlopen: see x86_64.
global_asm!(
    ".text",
    ".globl shim_dlopen",
    ".hidden shim_dlopen",
    ".type shim_dlopen,%function",
    "shim_dlopen:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-32]!",
    ".cfi_def_cfa_offset 32",
    ".cfi_offset x29, -32",
    ".cfi_offset x30, -24",
    "stp x0, x1, [sp, #16]",
    "add x0, sp, #24",
    "bl {opening}",
    "mov x16, x0",
    "ldp x0, x1, [sp, #16]",
    "ldp x29, x30, [sp], #32",
    ".cfi_def_cfa_offset 0",
    ".cfi_restore x29",
    ".cfi_restore x30",
    "cbz x16, 2f",
    "br x16",
    "2: mov x0, 0",
    "ret",
    ".cfi_endproc",
    ".size shim_dlopen, . - shim_dlopen",
    opening = sym crate::hooks::loading::opening,
);

/// The whole body of the exported dlopen: as vfork's, the arguments where they are.
#[cfg(frame_pointers)]
macro_rules! jump_to_dlopen {
    ($file:expr, $mode:expr) => {
        core::arch::asm!("mov sp, x29", "ldp x29, x30, [sp], #16", "b {f}", f = sym $crate::arch::shim_dlopen, in("x0") $file, in("x1") $mode, options(noreturn))
    };
}
#[cfg(not(frame_pointers))]
macro_rules! jump_to_dlopen {
    ($file:expr, $mode:expr) => {
        core::arch::asm!("b {f}", f = sym $crate::arch::shim_dlopen, in("x0") $file, in("x1") $mode, options(noreturn))
    };
}
pub(crate) use jump_to_dlopen;

/// The whole body of the exported vfork: leaves the frame, if frame pointers have made one, and jumps.
#[cfg(frame_pointers)]
macro_rules! jump_to_vfork {
    () => {
        core::arch::asm!("mov sp, x29", "ldp x29, x30, [sp], #16", "b {f}", f = sym $crate::arch::shim_vfork, options(noreturn))
    };
}
#[cfg(not(frame_pointers))]
macro_rules! jump_to_vfork {
    () => {
        core::arch::asm!("b {f}", f = sym $crate::arch::shim_vfork, options(noreturn))
    };
}
pub(crate) use jump_to_vfork;

/// See [`super`].
///
/// # Safety
/// The third argument of a signal handler.
pub unsafe fn interrupted(context: *const core::ffi::c_void) -> (super::Registers, Option<bool>) {
    // SAFETY: the caller's.
    let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    let registers = super::Registers { pc: machine.pc, sp: machine.sp, fp: machine.regs[29], lr: machine.regs[30] };
    (registers, None)
}
