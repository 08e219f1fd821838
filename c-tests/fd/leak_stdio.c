/*
 * Twenty FILEs on one path, read and never closed: the place that opened them is the fopen.
 */
#include "../leak.h"

static void once(void)
{
    FILE *file = fopen("/proc/version", "r"); /* opened */
    CHECK(file != NULL && fgetc(file) != EOF);
#ifdef CLEAN
    CHECK(fclose(file) == 0);
#endif
}

int main(void)
{
    for (int i = 0; i < 20; i++)
        once();
    printf("ok\n");
    return 0;
}
