/*
 * What the tests of memory tiers share: in which tier a block lies, as the kernel sees it.
 *
 * Without shim there are no tiers, and the claims about them are not made: `PLACED(block)`, `ORDINARY(block)`. The rule files lie
 * beside the programs; their tiers are memfds, which /proc/self/maps shows, so that no device is needed.
 */
#ifndef TIERS_H
#define TIERS_H

#include "../heap/heap.h"

/* A function of its own in the table of symbols, which rules go by. */
#define APART __attribute__((noinline))

/* Is this run watched, with tiers? */
static inline int has_tiers(void)
{
    static int has = -1;
    if (has < 0) {
        const char *options = getenv("SHIM_OPTIONS");
        has = options && strstr(options, "tiers=");
    }
    return has;
}

/* Does the address lie in a mapping whose line has this text? */
static inline int in_mapping(const void *address, const char *text)
{
    static __thread char line[8192];
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), found = 0;
    size_t len = 0;
    CHECK(fd >= 0);
    for (ssize_t n; !found && (n = read(fd, line + len, sizeof line - 1 - len)) > 0;) {
        len += (size_t)n;
        line[len] = 0;
        char *at = line;
        for (char *end; (end = strchr(at, '\n')); at = end + 1) {
            unsigned long from, to;
            *end = 0;
            if (sscanf(at, "%lx-%lx", &from, &to) == 2 && (unsigned long)address >= from && (unsigned long)address < to)
                found = 1 + (strstr(at, text) != NULL);
        }
        len -= (size_t)(at - line);
        memmove(line, at, len);
    }
    close(fd);
    return found == 2;
}

#define PLACED(block) CHECK(!has_tiers() || in_mapping(block, "shim-tier"))
#define ORDINARY(block) CHECK(!in_mapping(block, "shim-tier"))

#endif
