/* Threads spawn: posix_spawn with file actions, vfork and exec, popen, system, fork; others open and close all the while. */
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static volatile int over;
static void *noise(void *a) { while (!over) { int s = socket(AF_UNIX, SOCK_STREAM, 0), f = open("/dev/null", O_RDONLY | O_CLOEXEC); if (s < 0 || f < 0 || close(s) || close(f)) abort(); } return 0; }
static void want(pid_t p, int code) { int s; if (p < 0 || waitpid(p, &s, 0) != p || !WIFEXITED(s) || WEXITSTATUS(s) != code) { fprintf(stderr, "child: status %x, wanted exit %d\n", s, code); abort(); } }
static void *work(void *a)
{
    for (int i = 0; i < 60; i++) {
        pid_t p; posix_spawn_file_actions_t fa; char *args[] = { "true", 0 };
        posix_spawn_file_actions_init(&fa); posix_spawn_file_actions_addclose(&fa, 0); posix_spawn_file_actions_addopen(&fa, 5, "/dev/null", O_RDONLY, 0); posix_spawn_file_actions_adddup2(&fa, 5, 6);
        if (posix_spawn(&p, "/bin/true", &fa, 0, args, environ)) abort();
        want(p, 0); posix_spawn_file_actions_destroy(&fa);
        int f = open("/dev/null", O_RDONLY);
        p = vfork();
        if (p == 0) { close(f); execve(i % 2 ? "/bin/true" : "/bin/false", args, environ); _exit(9); }
        want(p, i % 2 ? 0 : 1);
        p = vfork();
        if (p == 0) { close(f); close(f); _exit(4); }
        want(p, 4);
        if (close(f)) abort();
        p = fork();
        if (p == 0) { int s = socket(AF_UNIX, SOCK_STREAM, 0); if (s < 0 || close(s)) _exit(8); _exit(3); }
        want(p, 3);
        if (i % 10 == 0) { FILE *o = popen("echo x", "r"); if (!o || fgetc(o) != 'x' || pclose(o)) abort(); if (system("exit 6") != 6 << 8) abort(); }
    }
    return 0;
}
int main(void)
{
    pthread_t t[8];
    for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, i < 2 ? noise : work, 0);
    for (int i = 2; i < 8; i++) pthread_join(t[i], 0);
    over = 1;
    for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
    puts("spawn ok");
}
