/*
 * A forked child closes everything from 3 up and runs another program, as shells and servers do.
 * Silent in the child; the parent's descriptors are untouched.
 */
#include "../sweep.h"

int main(void)
{
    int status;
    prepare_for_sweep();
    pid_t pid = fork();
    if (pid == 0) {
        for (int fd = 3; fd < 256; fd++)
            close(fd);
        execl("/bin/true", "true", NULL);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(write(200, "x", 1) == 1 && close(200) == 0);
    printf("ok\n");
    return 0;
}
