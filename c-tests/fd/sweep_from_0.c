/*
 * daemonise: close everything from 0 up, and open 0, 1 and 2 anew.
 * Silent, and the three numbers are what the program wants them to be.
 */
#include "../sweep.h"

int main(void)
{
    printf("ok\n");
    fflush(stdout);
    prepare_for_sweep();
    for (int fd = 0; fd < 256; fd++)
        close(fd);
    int in = open("/dev/null", O_RDWR), out = dup(0), err = dup(0);
    return in == 0 && out == 1 && err == 2 ? 0 : 1;
}
