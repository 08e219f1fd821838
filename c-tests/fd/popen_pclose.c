/*
 * popen, read, pclose, and an open in between that gets the same number.
 * libc opens and closes by itself: silent.
 */
#include "../test.h"

int main(void)
{
    char line[32];
    for (int i = 0; i < 5; i++) {
        FILE *pipe = popen("echo hello", "r");
        CHECK(pipe != NULL && fgets(line, sizeof line, pipe) && strcmp(line, "hello\n") == 0);
        CHECK(pclose(pipe) == 0);
        int fd = open_null();
        CHECK(close(fd) == 0);
    }
    printf("ok\n");
    return 0;
}
