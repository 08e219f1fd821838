/*
 * Functions registered with atexit() and on_exit(), and a destructor, close what main left open.
 * Once each: silent, to the very end.
 */
#include "../test.h"

static int one, two, three;

static void at_exit(void)
{
    CHECK(close(one) == 0);
}

static void on_the_way_out(int status, void *arg)
{
    (void)status;
    (void)arg;
    CHECK(close(two) == 0);
}

__attribute__((destructor)) static void at_end(void)
{
    if (close(three) != 0)
        _exit(9);
}

int main(void)
{
    atexit(at_exit);
    on_exit(on_the_way_out, NULL);
    one = AT(100, open_null());
    two = AT(110, tcp());
    three = AT(120, tcp());
    printf("ok\n");
    return 0;
}
