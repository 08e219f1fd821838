/*
 * What the tests of memory tiers share: in which tier a block lies, as the kernel sees it.
 *
 * Without shim there are no tiers, and the claims about them are not made: `PLACED(block)`, `ORDINARY(block)`. The rule files lie
 * beside the programs; their tiers are memfds, which /proc/self/maps shows, so that no device is needed.
 */
#ifndef TIERS_H
#define TIERS_H

#include "../heap/heap.h"
#include <sys/mman.h>

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

/* Does the kernel give transparent huge pages to those who ask? Where it does not, a tier of them is one of ordinary pages, and says so. */
static inline int huge_pages(void)
{
    char text[64] = "";
    int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 && !strstr(text, "[never]");
}

/* May a thread say on which node its memory shall be? Not in an emulator, nor in many a container. */
static inline int memory_policies(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    int may = syscall(SYS_mbind, page, 4096, 0 /* MPOL_DEFAULT */, NULL, 0, 0) == 0;
    munmap(page, 4096);
    return may;
}

/* The runner of the C tests says so, and goes on. */
#define NEEDS(what, why)                                                                                               \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            puts("skip: " why);                                                                                        \
            return 0;                                                                                                  \
        }                                                                                                              \
    } while (0)
#define NEEDS_HUGE_PAGES() NEEDS(huge_pages(), "transparent huge pages are off here")
#define NEEDS_MEMORY_POLICIES() NEEDS(memory_policies(), "no mbind here")

#define PLACED(block) CHECK(!has_tiers() || in_mapping(block, "shim-tier"))
#define ORDINARY(block) CHECK(!in_mapping(block, "shim-tier"))

#endif
