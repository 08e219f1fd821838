/*
 * getaddrinfo, getnameinfo, getifaddrs, gethostbyname, if_nameindex, getpwuid between opens and closes: all of them open
 * descriptors inside libc, where nobody sees it, on numbers that were the program's a moment ago.
 * The program closes its own only: silent.
 */
#include "../test.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <pwd.h>

int main(void)
{
    struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM}, *found;
    struct ifaddrs *addresses;
    for (int i = 0; i < 10; i++) {
        CHECK(close(tcp()) == 0);
        if (getaddrinfo("127.0.0.1", "80", &hints, &found) == 0)
            freeaddrinfo(found);
        CHECK(close(tcp()) == 0);
        CHECK(gethostbyname("localhost") != NULL);
        CHECK(close(open_null()) == 0);
        if (getifaddrs(&addresses) == 0)
            freeifaddrs(addresses);
        CHECK(close(tcp()) == 0);
        struct if_nameindex *names = if_nameindex();
        if (names)
            if_freenameindex(names);
        CHECK(close(tcp()) == 0);
        CHECK(getpwuid(0) != NULL);
        CHECK(close(open_null()) == 0);
    }
    printf("ok\n");
    return 0;
}
