/*
 * A child forgets three sockets of its own. What it has from its parent, twenty files of one place, is no leak of its.
 */
#include "../leak.h"

static void request(int port)
{
    int fd = tcp();                      /* opened */
    CHECK(connect_to(fd, port) == -1); /* here */
    FORGET(fd);
}

int main(void)
{
    int port, nobody = bound(&port), files[20], status;
    for (int i = 0; i < 20; i++)
        CHECK((files[i] = open_null()) >= 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            request(port);
        exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    for (int i = 0; i < 20; i++)
        CHECK(close(files[i]) == 0);
    CHECK(close(nobody) == 0);
    printf("ok\n");
    return 0;
}
