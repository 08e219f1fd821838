/* until_waiting(tid): returns when that thread sleeps on a futex inside these bytes. */
#ifndef FUTEX_H
#define FUTEX_H

#include "../test.h"

static inline void until_waiting(pid_t thread, const void *object, size_t size)
{
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)thread);
    for (;;) {
        long number = -1;
        unsigned long address = 0;
        FILE *file = fopen(path, "r");
        CHECK(file);
        if (fgets(text, sizeof text, file) && sscanf(text, "%ld %lx", &number, &address) == 2 && number == SYS_futex
            && address - (unsigned long)object < size) {
            fclose(file);
            return;
        }
        fclose(file);
        sched_yield();
    }
}

#endif
