/*
 * Forty descriptors with O_CLOEXEC are open when the program executes itself: the exec closes them.
 */
#include "../leak.h"

int main(int argc, char **argv)
{
    if (argc > 1) {
        CHECK(fcntl(3, F_GETFD) == -1);
        printf("ok\n");
        return 0;
    }
    for (int i = 0; i < 40; i++)
        CHECK(open_null() >= 0);
    char *again[] = {argv[0], "again", NULL};
    execv("/proc/self/exe", again);
    return 1;
}
