/*
 * A number is closed; libc's resolver gets it for its netlink socket (here: a raw system call, as invisible as libc's
 * own); the number is closed again.
 * C3: the record says closed, the kernel says a NETLINK_ROUTE socket. protect refuses the close.
 */
#include "../test.h"
#include "../raw_syscall.h"
#include <linux/netlink.h>

int main(void)
{
    int low = open_null();
    int fd = open("/dev/null", O_RDONLY); /* opened */
    CHECK(close(fd) == 0);                /* closed */
    CHECK(raw_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) == fd);
#ifndef CLEAN
    close(fd); /* here */
#endif
    printf("netlink socket: %s\n", raw_is_open(fd) ? "open" : "closed");
    raw_close(fd);
    close(low);
    printf("ok\n");
    return 0;
}
