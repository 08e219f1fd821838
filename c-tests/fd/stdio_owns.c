/*
 * fopen, fdopen, freopen (over an open FILE, and of stdin), tmpfile, fclose; the numbers come back again and again.
 * Each FILE closes its own descriptor once: silent.
 */
#include "../test.h"

int main(void)
{
    for (int i = 0; i < 10; i++) {
        FILE *file = fopen("/dev/null", "r");
        CHECK(file != NULL);
        file = freopen("/dev/zero", "r", file);
        CHECK(file != NULL && fgetc(file) == 0);
        CHECK(fclose(file) == 0);

        int fd = open_null();
        file = fdopen(fd, "w");
        CHECK(file != NULL && fputc('x', file) == 'x');
        CHECK(fclose(file) == 0);

        file = tmpfile();
        CHECK(file != NULL && fclose(file) == 0);

        fd = open_null();
        CHECK(close(fd) == 0);
    }
    CHECK(freopen("/dev/null", "r", stdin) == stdin);
    printf("ok\n");
    return 0;
}
