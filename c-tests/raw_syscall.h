/*
 * A system call that no preload library can see: inline assembly, as Go, liburing and libc's own internals do it.
 * The answer is the kernel's: a negative errno on failure; errno itself is not touched.
 */
#ifndef RAW_SYSCALL_H
#define RAW_SYSCALL_H

#include <sys/syscall.h>

static inline long raw_syscall4(long number, long a, long b, long c, long d)
{
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__i386__)
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#else
#error "raw_syscall4: write it for this architecture"
#endif
}

static inline long raw_close(int fd)
{
    return raw_syscall4(SYS_close, fd, 0, 0, 0);
}

/* Opens /dev/null. */
static inline long raw_open_null(void)
{
    return raw_syscall4(SYS_openat, -100 /* AT_FDCWD */, (long)"/dev/null", 0, 0);
}

static inline long raw_dup3(int from, int to)
{
    return raw_syscall4(SYS_dup3, from, to, 0, 0);
}

static inline long raw_socket(int domain, int type, int protocol)
{
    return raw_syscall4(SYS_socket, domain, type, protocol, 0);
}

/* Is the number open, in the kernel's own words? */
static inline int raw_is_open(int fd)
{
    return raw_syscall4(SYS_fcntl, fd, 1 /* F_GETFD */, 0, 0) >= 0;
}

#endif
