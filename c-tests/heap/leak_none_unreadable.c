/*
 * Blocks and mappings of which parts cannot be read, or are behind the end of a file: the look goes around them.
 */
#include "../lost.h"
#include <sys/mman.h>

char *block, *file, *guarded;

int main(void)
{
    CHECK(posix_memalign((void **)&block, 4096, 8 * 4096) == 0);
    CHECK(mprotect(block + 4096, 2 * 4096, PROT_NONE) == 0);
    int fd = memfd_create("short", MFD_CLOEXEC);
    CHECK(fd >= 0 && ftruncate(fd, 4 * 4096) == 0);
    file = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(file != MAP_FAILED && ftruncate(fd, 4096) == 0);
    guarded = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(guarded != MAP_FAILED);
    madvise(guarded + 8 * 4096, 4096, 102 /* MADV_GUARD_INSTALL, Linux 6.13 */);
    scrub();
    printf("ok\n");
    return 0;
}
