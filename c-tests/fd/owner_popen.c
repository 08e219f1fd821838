/*
 * close(fileno(p)) of a FILE that popen() made, and then pclose(p).
 * C2: the number belongs to popen's FILE.
 */
#include "../test.h"

int main(void)
{
    int low = open_null();
    FILE *pipe = popen("exit 0", "r"); /* opened */
    CHECK(pipe != NULL);
    int result = 0;
#ifndef CLEAN
    result = close(fileno(pipe)); /* here */
#endif
    printf("close: %d\n", result);
    pclose(pipe); /* pclose */
    close(low);
    printf("ok\n");
    return 0;
}
