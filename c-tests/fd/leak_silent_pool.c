/*
 * A pool of sixteen connections to one server, opened at the start, used now and then, open at the end: no leak.
 */
#include "../leak.h"

int main(void)
{
    int port, server = listening(&port), pool[16], peers[16];
    for (int i = 0; i < 16; i++) {
        CHECK((pool[i] = tcp()) >= 0 && connect_to(pool[i], port) == 0);
        CHECK((peers[i] = accept(server, NULL, NULL)) >= 0);
    }
    char byte;
    for (int i = 0; i < 64; i++) {
        CHECK(write(pool[i % 16], "?", 1) == 1 && read(peers[i % 16], &byte, 1) == 1);
        CHECK(write(peers[i % 16], "!", 1) == 1 && read(pool[i % 16], &byte, 1) == 1);
    }
    printf("ok\n");
    return 0;
}
