/*
 * dup2 and dup3 onto numbers that are open: one of the program's own, one that belongs to a FILE, itself.
 * The kernel closes what was there; replacing is no fault, and each number is closed once: silent.
 */
#include "../test.h"

int main(void)
{
    int fd = AT(100, open_null()), other = AT(101, tcp());
    CHECK(dup2(fd, other) == other);
    CHECK(dup2(other, other) == other);
    CHECK(dup3(fd, other, O_CLOEXEC) == other);
    CHECK(write(other, "x", 1) == 1);
    FILE *file = fopen("/dev/zero", "r");
    CHECK(file != NULL && dup2(fd, fileno(file)) == fileno(file));
    CHECK(fclose(file) == 0);
    CHECK(close(fd) == 0 && close(other) == 0);
    printf("ok\n");
    return 0;
}
