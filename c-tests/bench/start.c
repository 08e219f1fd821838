/* Bench of the start of a program: starts one N times, waits for each, and prints "start ms-per-start".
 *
 *     start N [NAME=VALUE…] PROGRAM [ARGUMENT…]
 *
 * The names are added to the environment of the program, not to ours: this driver is never watched itself. */
#define _GNU_SOURCE
#include "rows.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(char **arguments)
{
    pid_t pid;
    int status;
    if (posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ) != 0 || waitpid(pid, &status, 0) != pid
        || status != 0) {
        fprintf(stderr, "start: %s does not run\n", arguments[0]);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 0;
    char **arguments = argv + 2;
    while (argc > 2 && *arguments && strchr(*arguments, '='))
        putenv(*arguments++);
    if (n <= 0 || !*arguments) {
        fprintf(stderr, "usage: start N [NAME=VALUE...] PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    for (long i = 0; i < n / 20 + 1; i++)
        start(arguments);
    double t = now(CLOCK_MONOTONIC);
    for (long i = 0; i < n; i++)
        start(arguments);
    printf("start %.4f\n", (now(CLOCK_MONOTONIC) - t) / n / 1e6);
    return 0;
}
