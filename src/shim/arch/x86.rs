//! i686: see [`super`] for the contract of each item.

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
    // SAFETY: reads the thread's pointer to itself, and the offset of our own TLS symbol through the GOT, found from the program
    // counter.
    unsafe {
        asm!("movl %gs:0, {0}", out(reg) block, options(pure, nomem, nostack, preserves_flags, att_syntax));
        if block == 0 {
            return None;
        }
        asm!(
            "calll 2f",
            "2: popl {1}",
            "addl $_GLOBAL_OFFSET_TABLE_ + (. - 2b), {1}",
            "addl shim_thread_block@GOTNTPOFF({1}), {0}",
            inlateout(reg) block,
            out(reg) _,
            options(pure, nomem, att_syntax)
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
    let arguments: *const usize = a.as_ptr();
    // SAFETY: the kernel's calling convention with six arguments; ebp and esi, which Rust reserves, are saved by hand.
    unsafe {
        asm!(
            "push ebp",
            "push esi",
            "push ebx",
            "mov ebx, [edi]",
            "mov ecx, [edi + 4]",
            "mov edx, [edi + 8]",
            "mov esi, [edi + 12]",
            "mov ebp, [edi + 20]",
            "mov edi, [edi + 16]",
            "int 0x80",
            "pop ebx",
            "pop esi",
            "pop ebp",
            inlateout("eax") number as isize => result,
            inlateout("edi") arguments => _,
            lateout("ecx") _, lateout("edx") _,
        );
    }
    result
}

/// See [`super`]. The flag comes from `build.rs`, which looks whether every function of ours keeps its frame pointer.
#[inline(always)]
pub fn return_address() -> u64 {
    #[cfg(frame_pointers)]
    {
        let address: u32;
        // As on x86_64.
        // SAFETY: with frame pointers ebp is that of the function we are inlined into, whose return address lies above it.
        unsafe {
            asm!("mov {0}, dword ptr [ebp + 4]", out(reg) address, out("edi") _,
                options(readonly, nostack, preserves_flags));
        }
        u64::from(address)
    }
    #[cfg(not(frame_pointers))]
    0
}

#[inline(always)]
pub fn stack_pointer() -> u64 {
    let at: u32;
    // SAFETY: reads a register.
    unsafe { asm!("mov {0}, esp", out(reg) at, options(nomem, nostack, preserves_flags)) };
    u64::from(at)
}

#[inline(always)]
pub fn registers() -> super::Registers {
    let (pc, sp, fp): (u32, u32, u32);
    // SAFETY: reads registers only.
    unsafe {
        asm!("call 2f", "2: pop {0}", "mov {1}, esp", "mov {2}, ebp", out(reg) pc, out(reg) sp, out(reg) fp);
    }
    super::Registers { pc: pc.into(), sp: sp.into(), fp: fp.into(), lr: 0 }
}

/// See [`super`].
#[inline(always)]
pub fn saved_registers() -> [u64; super::SAVED] {
    let mut saved = [0u32; 4];
    // SAFETY: writes four words of the array; registers are only read.
    unsafe {
        asm!("mov [{0}], ebx", "mov [{0} + 4], esi", "mov [{0} + 8], edi", "mov [{0} + 12], ebp",
            in(reg) saved.as_mut_ptr(), options(nostack, preserves_flags));
    }
    let mut wide = [0; super::SAVED];
    wide.iter_mut().zip(saved).for_each(|(to, from)| *to = u64::from(from));
    wide
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
    "movl $shim_key_number, %eax",
    "jmp 8f",
    ".set shim_key_number, shim_key_number + 1",
    ".endr",
    ".p2align 4",
    "8:",
    "subl $8, %esp",
    "pushl %eax",
    "call {ask}",
    "addl $12, %esp",
    "testl %eax, %eax",
    "jz 9f",
    "jmpl *%eax",
    "9: ret",
    count = const track::key::KEYS,
    ask = sym crate::keys::shim_key_destructor,
    options(att_syntax),
);

// vfork: as on x86_64; the return address waits in ecx (glibc sysdeps/unix/sysv/linux/i386/vfork.S).
global_asm!(
    ".text",
    ".globl shim_vfork",
    ".hidden shim_vfork",
    ".type shim_vfork,@function",
    "shim_vfork:",
    "calll 2f",
    "2: popl %ecx",
    "addl $_GLOBAL_OFFSET_TABLE_ + (. - 2b), %ecx",
    "movl %gs:0, %edx",
    "testl %edx, %edx",
    "jz 5f",
    "addl shim_thread_block@GOTNTPOFF(%ecx), %edx",
    "6: incl {flag}(%edx)",
    "popl %ecx",
    "movl $190, %eax",
    "int $0x80",
    "pushl %ecx",
    "testl %eax, %eax",
    "jz 3f",
    "decl {flag}(%edx)",
    "testl %eax, %eax",
    "js 4f",
    "3: retl",
    "4: negl %eax",
    "subl $8, %esp",
    "pushl %eax",
    "calll {failed}",
    "addl $12, %esp",
    "retl",
    "5: leal {foreign}@GOTOFF(%ecx), %edx",
    "jmp 6b",
    ".size shim_vfork, . - shim_vfork",
    flag = const super::VFORK_FLAG,
    foreign = sym crate::thread::beside::FOREIGN,
    failed = sym super::set_errno_and_fail,
    options(att_syntax),
);

// See x86_64 for why.
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

// dlopen: see x86_64. The arguments stay where the caller has put them; they are ours to change.
global_asm!(
    ".text",
    ".globl shim_dlopen",
    ".hidden shim_dlopen",
    ".type shim_dlopen,@function",
    "shim_dlopen:",
    "leal 8(%esp), %eax",
    "subl $8, %esp",
    "pushl %eax",
    "calll {opening}",
    "addl $12, %esp",
    "testl %eax, %eax",
    "jz 2f",
    "jmpl *%eax",
    "2: retl",
    ".size shim_dlopen, . - shim_dlopen",
    opening = sym crate::hooks::loading::opening,
    options(att_syntax),
);

/// The whole body of the exported dlopen: as vfork's.
#[cfg(frame_pointers)]
macro_rules! jump_to_dlopen {
    ($file:expr, $mode:expr) => {{
        let _ = ($file, $mode);
        core::arch::asm!("leave", "jmp {f}", f = sym $crate::arch::shim_dlopen, options(noreturn))
    }};
}
#[cfg(not(frame_pointers))]
macro_rules! jump_to_dlopen {
    ($file:expr, $mode:expr) => {{
        let _ = ($file, $mode);
        core::arch::asm!("jmp {f}", f = sym $crate::arch::shim_dlopen, options(noreturn))
    }};
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

/// See [`super`].
///
/// # Safety
/// The third argument of a signal handler.
pub unsafe fn interrupted(context: *const core::ffi::c_void) -> (super::Registers, Option<bool>) {
    // SAFETY: the caller's.
    let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    let register = |which: libc::c_int| u64::from(machine.gregs[which as usize] as u32);
    let registers = super::Registers {
        pc: register(libc::REG_EIP),
        sp: register(libc::REG_ESP),
        fp: register(libc::REG_EBP),
        lr: 0,
    };
    // The page fault's error code: bit 1 is a write.
    (registers, Some(register(libc::REG_ERR) & 2 != 0))
}
