/*
 * Eight connections kept alive, asked twice each, idle since then, open at the end.
 */
#include "../leak.h"

int main(void)
{
    int port, server = listening(&port), pool[8], peers[8];
    char byte;
    for (int i = 0; i < 8; i++) {
        CHECK((pool[i] = tcp()) >= 0 && connect_to(pool[i], port) == 0);
        CHECK((peers[i] = accept(server, NULL, NULL)) >= 0);
        for (int turn = 0; turn < 2; turn++) {
            CHECK(write(pool[i], "?", 1) == 1 && read(peers[i], &byte, 1) == 1);
            CHECK(write(peers[i], "!", 1) == 1 && read(pool[i], &byte, 1) == 1);
        }
    }
    printf("ok\n");
    return 0;
}
