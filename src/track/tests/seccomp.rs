//! The evaluator of seccomp filters against the kernel's own: random programs, installed in a child, and one call.
#![cfg(not(loom))]
#![allow(unsafe_code)] // Safety: a child that makes raw calls, and ends.

use proptest::prelude::*;
use track::seccomp::{ARCHITECTURE, Call, Instruction, KILL, evaluate, passes};

const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

fn instruction(code: u16, jump_if: u8, jump_else: u8, k: u32) -> Instruction {
    Instruction { code, jump_if, jump_else, k }
}

/// What the kernel makes of getppid with these arguments; nothing when it does not take the program.
fn kernel(program: &[Instruction], arguments: [u64; 6]) -> Option<bool> {
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the child makes raw calls only, and ends.
    let status = unsafe {
        let pid = libc::fork();
        assert!(pid >= 0);
        if pid == 0 {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            if libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) != 0 {
                libc::_exit(2);
            }
            let [a, b, c, d, e, f] = arguments;
            let passed = libc::syscall(libc::SYS_getppid, a, b, c, d, e, f) > 0;
            libc::_exit(i32::from(!passed));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
        status
    };
    match libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)) {
        Some(2) => None,
        Some(0) => Some(true),
        _ => Some(false),
    }
}

fn ours(program: &[Instruction], arguments: [u64; 6]) -> bool {
    let number = libc::SYS_getppid as u32;
    passes(evaluate(program, &Call { number, architecture: ARCHITECTURE, instruction_pointer: 0, arguments }))
}

/// All but getppid is let through, so that the child can end.
fn guarded(body: &[Instruction]) -> Vec<Instruction> {
    let mut program = vec![
        instruction(LOAD, 0, 0, 0),
        instruction(EQUAL, 1, 0, libc::SYS_getppid as u32),
        instruction(RETURN, 0, 0, ALLOW),
    ];
    program.extend_from_slice(body);
    program
}

const CODES: [u16; 39] = [
    0x20, 0x20, 0x20, 0x80, 0x81, 0x00, 0x01, 0x60, 0x61, 0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c,
    0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x07,
    0x87,
];

/// One that the kernel takes, more often than not: `left` instructions follow it before the last.
fn made((code, jump_if, jump_else, k): (u16, u8, u8, u32), left: usize) -> Instruction {
    let ahead = |jump: u8| (jump as usize % (left + 1)) as u8;
    let k = match code {
        // Arguments and numbers, not the address of the instruction, which differs.
        0x20 => [0, 4, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60][k as usize % 14],
        0x60 | 0x61 | 0x02 | 0x03 => k % 16,
        0x64 | 0x74 => k % 32,
        0x34 => k.max(1),
        0x05 => u32::from(ahead(k as u8)),
        _ => k,
    };
    if code & 7 == 5 && code != 0x05 {
        instruction(code, ahead(jump_if), ahead(jump_else), k)
    } else {
        instruction(code, 0, 0, k)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_the_kernel(
        parts in prop::collection::vec((prop::sample::select(&CODES[..]), any::<u8>(), any::<u8>(), prop_oneof![0u32..9, any::<u32>()]), 0..24),
        arguments in prop::array::uniform6(prop_oneof![0u64..9, any::<u64>()]),
        threshold in any::<u32>(),
    ) {
        let len = parts.len();
        // The scratch memory is written first: the kernel refuses to load what was not stored.
        let mut body: Vec<_> = (0..16).map(|k| instruction(0x02, 0, 0, k)).collect();
        body.extend(parts.into_iter().enumerate().map(|(at, part)| made(part, len - at - 1)));
        // What came out decides.
        body.extend([instruction(0x35, 1, 0, threshold), instruction(RETURN, 0, 0, ERRNO | 1), instruction(RETURN, 0, 0, ALLOW)]);
        let program = guarded(&body);
        let passed = kernel(&program, arguments);
        prop_assume!(passed.is_some());
        prop_assert_eq!(Some(ours(&program, arguments)), passed);
    }
}

#[test]
fn answers_of_all_kinds() {
    for (answer, passed) in [
        (ALLOW, true),
        (0x7ffc_0000, true),
        (ERRNO | 1, false),
        (0x0003_0000, false),
        (KILL, false),
        (0, false),
        (0x7ff0_0000, false),
    ] {
        let program = guarded(&[instruction(RETURN, 0, 0, answer)]);
        assert_eq!(kernel(&program, [0; 6]), Some(passed), "{answer:#x}");
        assert_eq!(ours(&program, [0; 6]), passed, "{answer:#x}");
    }
}

#[test]
fn both_halves_of_a_word() {
    let call = Call {
        number: 1,
        architecture: 2,
        instruction_pointer: 0x3_0000_0004,
        arguments: [0x5_0000_0006, 0, 0, 0, 0, 0x7_0000_0008],
    };
    let low_first = cfg!(target_endian = "little");
    for (offset, value) in [
        (0, 1),
        (4, 2),
        (8, if low_first { 4 } else { 3 }),
        (12, if low_first { 3 } else { 4 }),
        (16, 6),
        (20, 5),
        (56, 8),
        (60, 7),
    ] {
        let program = [instruction(LOAD, 0, 0, offset), instruction(0x16, 0, 0, 0)];
        assert_eq!(evaluate(&program, &call), value, "{offset}");
    }
}

/// No program of the kernel's: as one that kills.
#[test]
fn broken_programs_kill() {
    let call = Call { number: 0, architecture: 0, instruction_pointer: 0, arguments: [0; 6] };
    for program in [
        &[][..],
        &[instruction(0x00, 0, 0, 1)],
        &[instruction(0x05, 0, 0, u32::MAX)],
        &[instruction(0x15, 9, 9, 0)],
        &[instruction(LOAD, 0, 0, 64)],
        &[instruction(LOAD, 0, 0, 2)],
        &[instruction(0x60, 0, 0, 16)],
        &[instruction(0xffff, 0, 0, 0)],
    ] {
        assert_eq!(evaluate(program, &call), KILL, "{program:?}");
    }
}
