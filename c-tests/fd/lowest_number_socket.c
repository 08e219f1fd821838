/*
 * A socket is closed and another one opened: without shim, and in observe, it gets the same number.
 * protect keeps the number in quarantine: this is the one difference that a clean program can see, and it is documented.
 */
#include "../test.h"

int main(void)
{
    int low = open_null();
    int one = tcp();
    CHECK(close(one) == 0);
    int two = tcp();
    printf("the same number: %s\n", one == two ? "yes" : "no");
    CHECK(close(two) == 0 && close(low) == 0);
    printf("ok\n");
    return 0;
}
