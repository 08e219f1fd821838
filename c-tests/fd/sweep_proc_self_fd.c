/*
 * Close everything that /proc/self/fd lists, except the directory that is being read; then a descriptor is closed twice.
 * The loop is silent. It meets shim's own descriptors too, and must not reach them: the double close is reported.
 */
#include "../test.h"
#include <dirent.h>

int main(void)
{
    for (int fd = 11; fd < 40; fd += 3)
        AT(fd, fd % 2 ? tcp() : open_null());
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir != NULL);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        int fd = atoi(entry->d_name);
        if (fd > 2 && fd != dirfd(dir))
            close(fd);
    }
    CHECK(closedir(dir) == 0);
    int fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);         /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
