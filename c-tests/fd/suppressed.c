/*
 * close(fileno(f)), and then fclose(f), as in owner_close_fileno.c; the status is 3.
 * A suppression silences the findings: nothing is printed, the status stays, abort does not abort; and protect still
 * refuses the close, so that the FILE stays whole. One that asks for another module silences nothing.
 */
#include "../test.h"

int main(void)
{
    int low = open_null();
    FILE *file = fopen("/dev/null", "r"); /* opened */
    CHECK(file != NULL);
    int result = 0;
#ifndef CLEAN
    result = close(fileno(file)); /* here */
#endif
    printf("close: %d\n", result);
    result = fclose(file); /* here */
    printf("fclose: %d\n", result);
    close(low);
    printf("ok\n");
    return 3;
}
