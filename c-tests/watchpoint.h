/* Are there hardware watchpoints here? A container may refuse them, a machine may have none. */
#ifndef WATCHPOINT_H
#define WATCHPOINT_H

#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int watchpoints(void)
{
    static long word;
    struct perf_event_attr a;
    memset(&a, 0, sizeof a);
    a.size = sizeof a;
    a.type = PERF_TYPE_BREAKPOINT;
    a.bp_type = HW_BREAKPOINT_W;
    a.bp_addr = (unsigned long)&word;
    a.bp_len = sizeof word;
    a.sample_period = 1;
    a.exclude_kernel = a.exclude_hv = 1;
    int fd = (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return 0;
    syscall(SYS_close, fd);
    return 1;
}

/* The runner of the C tests says so, and goes on. */
#define NEEDS_WATCHPOINTS()                                                                                            \
    do {                                                                                                               \
        if (!watchpoints()) {                                                                                          \
            puts("skip: no hardware watchpoints here");                                                               \
            return 0;                                                                                                  \
        }                                                                                                              \
    } while (0)

#endif
