/*
 * opendir, fdopendir, closedir, scandir; the numbers come back again and again.
 * Each DIR closes its own descriptor once: silent.
 */
#include "../test.h"
#include <dirent.h>

int main(void)
{
    for (int i = 0; i < 10; i++) {
        DIR *dir = opendir("/");
        CHECK(dir != NULL && readdir(dir) != NULL && closedir(dir) == 0);

        int fd = open("/", O_RDONLY | O_DIRECTORY);
        dir = fdopendir(fd);
        CHECK(dir != NULL && closedir(dir) == 0);

        struct dirent **list;
        int n = scandir("/", &list, NULL, NULL);
        CHECK(n > 0);
        while (n-- > 0)
            free(list[n]);
        free(list);

        fd = open_null();
        CHECK(close(fd) == 0);
    }
    printf("ok\n");
    return 0;
}
