/*
 * close(fileno(f)); another open is given the number; fclose(f) closes that.
 * C2 twice: the close of a FILE's number, and the fclose of a number that is no longer the FILE's. protect refuses the
 * first, and all the rest goes well.
 */
#include "../test.h"
#include "../raw_syscall.h"

int main(void)
{
    int low = open_null();
    FILE *file = fopen("/dev/null", "r"); /* opened */
    CHECK(file != NULL);
#ifndef CLEAN
    close(fileno(file)); /* first */
#endif
    int other = open("/dev/zero", O_RDONLY); /* reused */
    fclose(file);                            /* second */
    printf("the other: %s\n", raw_is_open(other) ? "open" : "closed");
    raw_close(other);
    close(low);
    printf("ok\n");
    return 0;
}
