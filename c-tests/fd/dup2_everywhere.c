/*
 * Where the limit is high, shim's own descriptors lie below 4096, where a program may want to be: dup2 and dup3 give it each number, in
 * a child of vfork, too, and what lies there stays its own. shim's message still finds its way: one error, the double close at the
 * end, and a word on the number that dup2 was given and nobody had open.
 */
#include "../test.h"

#include <sys/resource.h>

#define FIRST 4032
#define END 4200

int main(int argc, char **argv)
{
    struct rlimit limit;
    (void)argc;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    /* shim reads the limit when it starts. */
    if (limit.rlim_cur != 5000 && !getenv("AGAIN")) {
        limit.rlim_cur = 5000;
        if (limit.rlim_max < 5000 || setrlimit(RLIMIT_NOFILE, &limit) != 0)
            limit.rlim_cur = 0;
        setenv("AGAIN", "1", 1);
        execv("/proc/self/exe", argv);
    }
    int null = open("/dev/null", O_RDWR);
    int top = limit.rlim_cur >= END ? END : FIRST;
    /* A child of vfork has its own numbers. */
    pid_t child = vfork();
    if (child == 0) {
        int all = 1;
        for (int fd = FIRST; fd < top; fd++)
            all &= dup2(null, fd) == fd;
        _exit(all ? 7 : 8);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
    for (int fd = FIRST; fd < top; fd++) {
        int got = fd % 2 ? dup2(null, fd) : dup3(null, fd, O_CLOEXEC);
        if (got != fd)
            printf("%d: %d\n", fd, got);
    }
    CHECK(dup2(-1, 4090) == -1 && errno == EBADF);
    for (int fd = FIRST; fd < top; fd++) {
        struct stat its;
        CHECK(fstat(fd, &its) == 0 && S_ISCHR(its.st_mode));
        CHECK(write(fd, "x", 1) == 1);
        CHECK(close(fd) == 0);
    }
    close(null); /* closed */
#ifndef CLEAN
    close(null); /* here */
#endif
    puts("ok");
    return 0;
}
