/*
 * A server with listeners and a log that are open when it ends.
 */
#include "../leak.h"

int main(void)
{
    int port;
    for (int i = 0; i < 4; i++)
        CHECK(listening(&port) >= 0);
    int log = open("/dev/null", O_WRONLY | O_APPEND);
    for (int i = 0; i < 100; i++)
        CHECK(write(log, "line\n", 5) == 5);
    FILE *file = fopen("/dev/null", "w");
    CHECK(file != NULL && fputs("line\n", file) >= 0);
    printf("ok\n");
    return 0;
}
