/*
 * posix_spawn with file actions: libc closes, opens and dups in the child.
 * None of that is the parent's; it closes its own descriptors afterwards: silent.
 */
#include "../test.h"
#include <spawn.h>

extern char **environ;

int main(void)
{
    char *arguments[] = {"true", NULL};
    int status, fd = AT(100, open_null()), other = AT(110, tcp());
    posix_spawn_file_actions_t actions;
    pid_t pid;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_addclose(&actions, other) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, fd, 0) == 0);
    CHECK(posix_spawn_file_actions_addopen(&actions, 120, "/dev/null", O_RDONLY, 0) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(posix_spawn(&pid, "/bin/true", &actions, NULL, arguments, environ) == 0);
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    posix_spawn_file_actions_destroy(&actions);
    CHECK(close(fd) == 0 && close(other) == 0);
    printf("ok\n");
    return 0;
}
