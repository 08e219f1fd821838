/*
 * close(fileno(f)), and then fclose(f).
 * C2: the number belongs to the FILE. In observe the fclose that follows is the second close of a closed number;
 * protect refuses the first, so that the FILE stays whole.
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
    result = fclose(file); /* fclose */
    printf("fclose: %d\n", result);
    close(low);
    printf("ok\n");
    return 0;
}
