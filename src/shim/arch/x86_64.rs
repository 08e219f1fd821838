//! x86_64: the thread block, raw system calls, registers, and the entry points that no Rust function can be.
//!
//! See [`super`] for the contract of each item.

use core::arch::{asm, global_asm};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

// The per-thread block. Initial-exec access (`@gottpoff`) is one load from the GOT and one from the thread pointer, and
// never calls `__tls_get_addr`, which may allocate. Price: DF_STATIC_TLS, so preload only, never dlopen.
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
    // SAFETY: reads the thread's pointer to itself, and the offset of our own TLS symbol; no memory of Rust's is touched.
    unsafe {
        asm!("mov {0}, qword ptr fs:[0]", out(reg) block, options(pure, nomem, nostack, preserves_flags));
        if block == 0 {
            return None;
        }
        asm!(
            "add {0}, qword ptr [rip + shim_thread_block@GOTTPOFF]",
            inlateout(reg) block,
            options(pure, nomem, nostack)
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
    // SAFETY: the kernel's calling convention; rcx and r11 are clobbered. What the call does is the caller's affair.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    result
}

/// 0 = not asked yet, 1 = the counter is invariant, 2 = it is not.
static INVARIANT: AtomicU8 = AtomicU8::new(0);

/// See [`super`].
#[inline(always)]
pub fn ticks() -> Option<u64> {
    if INVARIANT.load(Relaxed) != 1 && !ask_invariant() {
        return None;
    }
    // SAFETY: reads a register. Linux lets every process do that, unless it asked not to (prctl PR_SET_TSC), and then its
    // clock_gettime would end it, too.
    Some(unsafe { core::arch::x86_64::_rdtsc() })
}

/// CPUID 8000_0007h, EDX bit 8 (Intel SDM, "Invariant TSC").
#[cold]
fn ask_invariant() -> bool {
    if INVARIANT.load(Relaxed) == 0 {
        #[allow(unused_unsafe)] // __cpuid became safe after Rust 1.85.
        // SAFETY: every x86_64 has CPUID. The highest extended leaf is not asked for: with 64 bits there is 8000_0008h, the sizes of
        // addresses, and in a virtual machine each question takes microseconds of every start.
        let invariant = unsafe { core::arch::x86_64::__cpuid(0x8000_0007).edx & 1 << 8 != 0 };
        INVARIANT.store(if invariant { 1 } else { 2 }, Relaxed);
    }
    INVARIANT.load(Relaxed) == 1
}

/// See [`super`]. The flag comes from `build.rs`, which looks whether every function of ours keeps its frame pointer.
#[inline(always)]
pub fn return_address() -> u64 {
    #[cfg(frame_pointers)]
    {
        let address: u64;
        // The frame is made as late as something is to be saved in it: that is here.
        // SAFETY: with frame pointers rbp is that of the function we are inlined into, whose return address lies above it.
        unsafe {
            asm!("mov {0}, qword ptr [rbp + 8]", out(reg) address, out("r12") _,
                options(readonly, nostack, preserves_flags));
        }
        address
    }
    #[cfg(not(frame_pointers))]
    0
}

#[inline(always)]
pub fn stack_pointer() -> u64 {
    let at: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {0}, rsp", out(reg) at, options(nomem, nostack, preserves_flags)) };
    at
}

/// The registers that an unwinder starts from, here and now.
#[inline(always)]
pub fn registers() -> super::Registers {
    let (pc, sp, fp): (u64, u64, u64);
    // SAFETY: reads registers only.
    unsafe {
        asm!("lea {0}, [rip]", "mov {1}, rsp", "mov {2}, rbp", out(reg) pc, out(reg) sp, out(reg) fp,
            options(nomem, nostack, preserves_flags));
    }
    super::Registers { pc, sp, fp, lr: 0 }
}

// The caller's stack pointer and program counter as they will be when this returns: then the layout of the innermost frame is
// known by the call alone, whatever the compiler makes of the functions around it.
global_asm!(
    ".text",
    ".globl shim_capture",
    ".hidden shim_capture",
    ".type shim_capture,@function",
    "shim_capture:",
    ".cfi_startproc",
    "mov rcx, qword ptr [rsp]",
    "lea rdx, [rsp + 8]",
    "mov r8, rbp",
    "jmp {capture}",
    ".cfi_endproc",
    ".size shim_capture, . - shim_capture",
    capture = sym crate::unwind::capture_at,
);

/// See [`super`].
#[inline(always)]
pub fn saved_registers() -> [u64; super::SAVED] {
    let mut saved = [0; super::SAVED];
    // SAFETY: writes six words of the array; registers are only read.
    unsafe {
        asm!("mov [{0}], rbx", "mov [{0} + 8], rbp", "mov [{0} + 16], r12", "mov [{0} + 24], r13",
            "mov [{0} + 32], r14", "mov [{0} + 40], r15", in(reg) saved.as_mut_ptr(), options(nostack, preserves_flags));
    }
    saved
}

/// clone(2) with a stack of its own: the child calls the function there and ends. Its id, or a negative errno.
///
/// # Safety
/// `flags` share the memory (CLONE_VM) and not the thread block's owner; the stack is mapped and nobody else's; the function
/// makes raw system calls only.
pub unsafe fn spawn_beside(flags: usize, stack: usize, function: extern "C" fn()) -> isize {
    let result: isize;
    // SAFETY: the child never returns from here: it runs on the new stack, which is aligned as at a call, and ends.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "call r12",
            "mov eax, 60",
            "xor edi, edi",
            "syscall",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone as isize => result,
            in("rdi") flags, in("rsi") stack & !15, in("rdx") 0usize, in("r10") 0usize, in("r8") 0usize,
            in("r12") function,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    result
}

/// See [`super`].
///
/// # Safety
/// The third argument of a signal handler.
pub unsafe fn interrupted(context: *const core::ffi::c_void) -> (super::Registers, Option<bool>) {
    // SAFETY: the caller's.
    let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    let register = |which: libc::c_int| machine.gregs[which as usize] as u64;
    let registers = super::Registers {
        pc: register(libc::REG_RIP),
        sp: register(libc::REG_RSP),
        fp: register(libc::REG_RBP),
        lr: 0,
    };
    // The page fault's error code: bit 1 is a write (Intel SDM, "Page-Fault Exception").
    (registers, Some(register(libc::REG_ERR) & 2 != 0))
}

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
    "movl $shim_key_number, %esi",
    "jmp 8f",
    ".set shim_key_number, shim_key_number + 1",
    ".endr",
    ".p2align 4",
    ".type shim_key_stub_end,@function",
    "shim_key_stub_end:",
    "8:",
    ".cfi_startproc",
    "pushq %rdi",
    ".cfi_adjust_cfa_offset 8",
    "movl %esi, %edi",
    "call {ask}",
    "popq %rdi",
    ".cfi_adjust_cfa_offset -8",
    "testq %rax, %rax",
    "jz 9f",
    "jmpq *%rax",
    "9: ret",
    ".cfi_endproc",
    ".size shim_key_stub_end, . - shim_key_stub_end",
    count = const track::key::KEYS,
    ask = sym crate::keys::shim_key_destructor,
    options(att_syntax),
);

// vfork: the child runs on our caller's stack, so no frame of ours may be live across the call; the return address waits
// in rdi, which the kernel preserves for both. The child shares our memory: the flag in the thread block, raised before
// and lowered by the parent after, tells the hooks that they run in a vfork child (glibc sysdeps/unix/sysv/linux/
// x86_64/vfork.S has the same shape).
global_asm!(
    ".text",
    ".globl shim_vfork",
    ".hidden shim_vfork",
    ".type shim_vfork,@function",
    "shim_vfork:",
    ".cfi_startproc",
    "mov r8, qword ptr fs:[0]",
    "test r8, r8",
    "jz 4f",
    "add r8, qword ptr [rip + shim_thread_block@GOTTPOFF]",
    "5: inc dword ptr [r8 + {flag}]",
    ".cfi_remember_state",
    "pop rdi",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_register rip, rdi",
    "mov eax, 58",
    "syscall",
    "push rdi",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_offset rip, -8",
    "test eax, eax",
    "jz 2f",
    "dec dword ptr [r8 + {flag}]",
    "test eax, eax",
    "js 3f",
    "2: ret",
    "3: neg eax",
    "mov edi, eax",
    "jmp {failed}",
    ".cfi_restore_state",
    "4: lea r8, [rip + {foreign}]",
    "jmp 5b",
    ".cfi_endproc",
    ".size shim_vfork, . - shim_vfork",
    flag = const super::VFORK_FLAG,
    foreign = sym crate::thread::beside::FOREIGN,
    failed = sym super::set_errno_and_fail,
);

// Rust's standard library registers destructors of thread-locals with __cxa_thread_atexit_impl, which in glibc callocs
// and takes the loader's lock: a thread started by a constructor inside dlopen would wait for ever. This hidden
// definition takes precedence inside our own library only; the destructors run when we end the thread.
global_asm!(
    ".text",
    ".weak __cxa_thread_atexit_impl",
    ".hidden __cxa_thread_atexit_impl",
    ".type __cxa_thread_atexit_impl,@function",
    "__cxa_thread_atexit_impl:",
    "jmp {register}",
    ".size __cxa_thread_atexit_impl, . - __cxa_thread_atexit_impl",
    register = sym crate::thread::register_destructor,
);

// dlopen: the loader asks by the return address who calls (RUNPATH, the namespace), so it is jumped to, with the mode
// changed. Null when there is none.
global_asm!(
    ".text",
    ".globl shim_dlopen",
    ".hidden shim_dlopen",
    ".type shim_dlopen,@function",
    "shim_dlopen:",
    ".cfi_startproc",
    "push rdi",
    ".cfi_adjust_cfa_offset 8",
    "push rsi",
    ".cfi_adjust_cfa_offset 8",
    "sub rsp, 8",
    ".cfi_adjust_cfa_offset 8",
    "lea rdi, [rsp + 8]",
    "call {opening}",
    "add rsp, 8",
    ".cfi_adjust_cfa_offset -8",
    "pop rsi",
    ".cfi_adjust_cfa_offset -8",
    "pop rdi",
    ".cfi_adjust_cfa_offset -8",
    "test rax, rax",
    "jz 2f",
    "jmp rax",
    "2: ret",
    ".cfi_endproc",
    ".size shim_dlopen, . - shim_dlopen",
    opening = sym crate::hooks::loading::opening,
);

/// The whole body of the exported dlopen: as vfork's, the arguments where they are.
#[cfg(frame_pointers)]
macro_rules! jump_to_dlopen {
    ($file:expr, $mode:expr) => {
        core::arch::asm!("leave", "jmp {f}", f = sym $crate::arch::shim_dlopen, in("rdi") $file, in("rsi") $mode, options(noreturn))
    };
}
#[cfg(not(frame_pointers))]
macro_rules! jump_to_dlopen {
    ($file:expr, $mode:expr) => {
        core::arch::asm!("jmp {f}", f = sym $crate::arch::shim_dlopen, in("rdi") $file, in("rsi") $mode, options(noreturn))
    };
}
pub(crate) use jump_to_dlopen;

/// The whole body of the exported vfork: leaves the frame, if frame pointers have made one, and jumps.
#[cfg(frame_pointers)]
macro_rules! jump_to_vfork {
    () => {
        core::arch::asm!("leave", "jmp {f}", f = sym $crate::arch::shim_vfork, options(noreturn))
    };
}
#[cfg(not(frame_pointers))]
macro_rules! jump_to_vfork {
    () => {
        core::arch::asm!("jmp {f}", f = sym $crate::arch::shim_vfork, options(noreturn))
    };
}
pub(crate) use jump_to_vfork;
