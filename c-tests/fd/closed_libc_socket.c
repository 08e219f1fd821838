/*
 * As closed_libc_file.c, with a socket: this is the socket crash, in order.
 * C3 in observe. Under protect the closed number is in quarantine, libc's socket gets another, and what is left is a
 * double close (C1).
 */
#include "../test.h"
#include "../raw_syscall.h"
#include <linux/netlink.h>

int main(void)
{
    int low = open_null();
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* opened */
    CHECK(close(fd) == 0);                    /* closed */
    int netlink = raw_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    CHECK(netlink >= 0);
#ifndef CLEAN
    close(fd); /* here */
#endif
    printf("netlink socket: %s\n", raw_is_open(netlink) ? "open" : "closed");
    raw_close(netlink);
    close(low);
    printf("ok\n");
    return 0;
}
