/* The plumbing of SCM_RIGHTS for one descriptor; the calls themselves are in the tests. */
#ifndef PASS_FD_H
#define PASS_FD_H

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct pass {
    struct msghdr message;
    struct iovec bytes;
    char byte;
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
};

static inline void prepare(struct pass *p)
{
    memset(p, 0, sizeof *p);
    p->bytes = (struct iovec){&p->byte, 1};
    p->message.msg_iov = &p->bytes;
    p->message.msg_iovlen = 1;
    p->message.msg_control = p->control.room;
    p->message.msg_controllen = sizeof p->control.room;
}

static inline void prepare_to_send(struct pass *p, int fd)
{
    prepare(p);
    struct cmsghdr *header = CMSG_FIRSTHDR(&p->message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

static inline int received(struct pass *p)
{
    int fd = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&p->message);
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

#endif
