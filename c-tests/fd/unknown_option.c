/*
 * A clean program under options that do not exist: one clear line each on stderr, and the program runs as it always does.
 */
#include "../test.h"

int main(void)
{
    CHECK(close(AT(100, open_null())) == 0);
    printf("ok\n");
    return 0;
}
