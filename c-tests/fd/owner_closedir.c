/*
 * close(dirfd(d)), and then closedir(d).
 * C2: the number belongs to the DIR. As with a FILE, observe then sees the second close, and protect refuses the first.
 */
#include "../test.h"
#include <dirent.h>

int main(void)
{
    int low = open_null();
    DIR *dir = opendir("/"); /* opened */
    CHECK(dir != NULL);
    int result = 0;
#ifndef CLEAN
    result = close(dirfd(dir)); /* here */
#endif
    printf("close: %d\n", result);
    result = closedir(dir); /* closedir */
    printf("closedir: %d\n", result);
    close(low);
    printf("ok\n");
    return 0;
}
