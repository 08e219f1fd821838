/*
 * A daemon that serves a hundred connections and closes everything that it has.
 */
#include "../leak.h"

int main(void)
{
    int port, server = listening(&port);
    char byte;
    for (int i = 0; i < 100; i++) {
        int client = tcp();
        CHECK(connect_to(client, port) == 0 && write(client, "?", 1) == 1);
        int fd = accept(server, NULL, NULL);
        CHECK(read(fd, &byte, 1) == 1 && close(client) == 0 && read(fd, &byte, 1) == 0 && close(fd) == 0);
    }
    CHECK(close(server) == 0);
    printf("ok\n");
    return 0;
}
