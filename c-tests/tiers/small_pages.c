/*
 * `huge = "never"`, which is what a tier has unless its rules say otherwise, on a system that gives transparent huge pages to all (`always`)
 * as on one that gives them to whoever asks: the kernel is told of each mapping, and none of it is huge. So is a forked child's copy.
 */
#include "tiers.h"
#include <sys/wait.h>

#define SIZE ((size_t)16 << 20)

APART static char *shared(void) { return opaque(malloc(SIZE)); }
APART static char *private(void) { return opaque(malloc(SIZE)); }
APART static char *large(void) { return opaque(malloc(SIZE)); }

struct facts {
    int found, told_never, told_huge;
    long eligible, huge;
};

/* What smaps says of the mapping that an address lies in. */
static struct facts facts_of(const void *address)
{
    struct facts it = {0};
    char line[4096];
    int here = 0;
    FILE *smaps = fopen("/proc/self/smaps", "r");
    CHECK(smaps);
    while (fgets(line, sizeof line, smaps)) {
        unsigned long from, to;
        long kilobytes;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = (unsigned long)address >= from && (unsigned long)address < to;
        if (!here)
            continue;
        it.found = 1;
        if (sscanf(line, "AnonHugePages: %ld", &kilobytes) == 1 || sscanf(line, "ShmemPmdMapped: %ld", &kilobytes) == 1)
            it.huge += kilobytes;
        if (sscanf(line, "THPeligible: %ld", &kilobytes) == 1)
            it.eligible = kilobytes;
        if (strncmp(line, "VmFlags:", 8) == 0) {
            it.told_never = strstr(line, " nh") != NULL;
            it.told_huge = strstr(line, " hg") != NULL;
        }
    }
    fclose(smaps);
    return it;
}

static void claim(const char *block)
{
    struct facts it = facts_of(block + SIZE / 2);
    CHECK(it.found && it.eligible == 0 && it.huge == 0);
    CHECK(!has_tiers() || it.told_never);
}

int main(void)
{
    NEEDS_HUGE_PAGES();
    NEEDS_MEMORY_POLICIES();
    if (!has_tiers()) {
        /* By itself the program's blocks are as the system likes it. */
        printf("ok\n");
        return 0;
    }
    char *blocks[] = {shared(), private(), large()};
    for (int i = 0; i < 3; i++)
        memset(blocks[i], i + 1, SIZE);
    PLACED(blocks[0]);
    claim(blocks[0]);
    claim(blocks[1]);
    struct facts huge = facts_of(blocks[2] + SIZE / 2);
    CHECK(!huge.told_never);

    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        for (int i = 0; i < 2; i++) {
            memset(blocks[i], 9, SIZE);
            claim(blocks[i]);
        }
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(blocks[i][SIZE - 1] == i + 1);
        free(blocks[i]);
    }
    printf("ok\n");
    return 0;
}
