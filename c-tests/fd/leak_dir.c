/*
 * Twenty DIRs on one path, read and never closed.
 */
#include "../leak.h"
#include <dirent.h>

static void once(void)
{
    DIR *dir = opendir("/proc/self"); /* opened */
    CHECK(dir != NULL && readdir(dir) != NULL);
#ifdef CLEAN
    CHECK(closedir(dir) == 0);
#endif
}

int main(void)
{
    for (int i = 0; i < 20; i++)
        once();
    printf("ok\n");
    return 0;
}
