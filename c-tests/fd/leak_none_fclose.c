/*
 * What fdopen and fdopendir took over, fclose and closedir end.
 */
#include "../leak.h"
#include <dirent.h>

int main(void)
{
    for (int i = 0; i < 40; i++) {
        FILE *file = fdopen(open("/proc/version", O_RDONLY), "r");
        CHECK(file != NULL && fgetc(file) != EOF && fclose(file) == 0);
        DIR *dir = fdopendir(open("/proc/self", O_RDONLY));
        CHECK(dir != NULL && readdir(dir) != NULL && closedir(dir) == 0);
    }
    printf("ok\n");
    return 0;
}
