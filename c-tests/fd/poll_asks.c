/*
 * xargs asks with poll which of all numbers are open, many in a call, and some of them were open once. That is no use of a
 * closed descriptor, as a close-everything loop is no double close.
 */
#include "../test.h"
#include <poll.h>

int main(void)
{
    enum { MANY = 64 };
    struct pollfd list[MANY];
    int fd = open_null(), open_ones = 0;
    CHECK(fd >= 0 && close(fd) == 0);
    for (int i = 0; i < MANY; i++)
        list[i] = (struct pollfd){ .fd = i, .events = POLLIN | POLLOUT };
    CHECK(poll(list, MANY, 0) > 0);
    for (int i = 0; i < MANY; i++)
        open_ones += !(list[i].revents & POLLNVAL);
    CHECK(open_ones >= 1 && open_ones < 16 && list[fd].revents & POLLNVAL);
    puts("ok");
    return 0;
}
