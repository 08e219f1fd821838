/*
 * A constructor of the program opens, uses and closes, and leaves a descriptor for main.
 * It may run before shim's own constructors: silent.
 */
#include "../test.h"

static int left;

__attribute__((constructor(101))) static void first(void)
{
    CHECK(close(AT(100, open_null())) == 0);
    left = AT(110, tcp());
}

int main(void)
{
    CHECK(close(left) == 0);
    printf("ok\n");
    return 0;
}
