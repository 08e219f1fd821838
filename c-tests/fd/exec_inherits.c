/*
 * A program execs itself with one descriptor that stays open and one that is CLOEXEC.
 * The new program closes the first, is told that the second is not open, and is given its number: silent.
 */
#include "../test.h"

int main(int argc, char **argv)
{
    if (argc == 1) {
        CHECK(dup3(STDIN_FILENO, 100, 0) == 100);
        CHECK(dup3(STDIN_FILENO, 101, O_CLOEXEC) == 101);
        execl("/proc/self/exe", argv[0], "again", NULL);
        return 1;
    }
    CHECK(fcntl(100, F_GETFD) == 0 && close(100) == 0);
    CHECK(fcntl(101, F_GETFD) == -1 && errno == EBADF);
    CHECK(dup2(STDIN_FILENO, 101) == 101 && close(101) == 0);
    printf("ok\n");
    return 0;
}
