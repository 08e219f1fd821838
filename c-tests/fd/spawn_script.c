/*
 * posix_spawn of a script that does not say by what it is run: it is refused, as it has been since glibc 2.15. The version before, which
 * asks the shell, is still in libc for programs of that time, and up to glibc 2.35 the first that dlsym finds.
 */
#include "../test.h"
#include <spawn.h>

extern char **environ;

int main(void)
{
    char path[] = "/tmp/shim-spawn-XXXXXX", *arguments[] = {path, NULL};
    int fd = mkstemp(path);
    pid_t child;
    CHECK(fd >= 0 && write(fd, "exit 0\n", 7) == 7 && fchmod(fd, 0700) == 0 && close(fd) == 0);
    int error = posix_spawn(&child, path, NULL, NULL, arguments, environ);
    printf("%s\n", strerror(error));
    if (error == 0)
        CHECK(waitpid(child, NULL, 0) == child);
    CHECK(unlink(path) == 0);
    printf("ok\n");
    return 0;
}
