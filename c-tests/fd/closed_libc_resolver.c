/*
 * A number is closed; a thread in getaddrinfo() asks a name server over a socket that libc has opened on that number; the
 * number is closed again while the answer is on its way. The name server is this program, so the order is fixed.
 * C3: the record says closed, the kernel says open, and another thread is inside a resolver call.
 */
#include "../test.h"
#include "../raw_syscall.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <resolv.h>

static struct sockaddr_in server = {.sin_family = AF_INET};

static void *resolve(void *arg)
{
    res_init();
    _res.nscount = 1;
    _res.nsaddr_list[0] = server;
    _res.retrans = 1;
    _res.retry = 1;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo("host.shim.example.", NULL, &hints, &found);
    printf("resolved: %s\n", error ? "no" : "yes");
    return arg;
}

/* Turns a question into its answer: A 10.1.2.3. */
static size_t answer(unsigned char *packet, size_t size)
{
    static const unsigned char record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3};
    packet[2] |= 0x80;
    packet[7] = 1;
    memcpy(packet + size, record, sizeof record);
    return size + sizeof record;
}

int main(void)
{
    int name_server = AT(200, socket(AF_INET, SOCK_DGRAM, 0));
    socklen_t length = sizeof server;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(name_server, (struct sockaddr *)&server, length) == 0);
    CHECK(getsockname(name_server, (struct sockaddr *)&server, &length) == 0);

    int low = open_null();
    int fd = open("/dev/null", O_RDONLY); /* opened */
    CHECK(close(fd) == 0);                /* closed */

    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, resolve, NULL) == 0);
    unsigned char packet[512];
    struct sockaddr_in client;
    ssize_t size = recvfrom(name_server, packet, 400, 0, (struct sockaddr *)&client, &length);
    CHECK(size > 12);
    CHECK(raw_is_open(fd)); /* libc's socket */
#ifndef CLEAN
    close(fd); /* here */
#endif
    CHECK(sendto(name_server, packet, answer(packet, size), 0, (struct sockaddr *)&client, length) > 0);
    CHECK(pthread_join(thread, NULL) == 0);
    close(low);
    printf("ok\n");
    return 0;
}
