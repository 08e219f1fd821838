/*
 * The descriptor of a FILE is closed where nobody can see it (a raw system call), its number is given to another open,
 * and fclose() then closes that.
 * C2: the FILE is bound to an older generation of the number; the newer one is not its own. protect keeps the newer.
 */
#include "../test.h"
#include "../raw_syscall.h"

int main(void)
{
    int low = open_null();
    FILE *file = fopen("/dev/null", "r");
    CHECK(file != NULL);
#ifndef CLEAN
    CHECK(raw_close(fileno(file)) == 0);
#endif
    int other = open("/dev/zero", O_RDONLY); /* reused */
#ifndef CLEAN
    CHECK(other == fileno(file));
#endif
    int result = fclose(file); /* here */
    printf("fclose: %d\n", result);
    printf("the other: %s\n", raw_is_open(other) ? "open" : "closed");
    raw_close(other);
    close(low);
    printf("ok\n");
    return 0;
}
