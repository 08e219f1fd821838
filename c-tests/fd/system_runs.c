/*
 * system(): libc forks, and a shell runs.
 * Its status comes through, the program's descriptors stay: silent.
 */
#include "../test.h"

int main(void)
{
    int fd = AT(100, open_null());
    CHECK(WEXITSTATUS(system("exit 3")) == 3);
    CHECK(system("echo from the shell") == 0);
    CHECK(close(fd) == 0);
    printf("ok\n");
    return 0;
}
