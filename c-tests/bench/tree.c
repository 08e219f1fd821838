/* What a command costs with everything it starts: writes "wall-us cpu-us" into a file.
 *
 *     tree FILE COMMAND [ARGUMENT…]
 *
 * Why a subreaper: a daemon leaves its parent, and who waits for it is told its processor time. What still runs when the command has ended
 * is given a second to end, and is killed then: its time counts, the wait for it does not. Ends as the command did (128 + a signal). */
#define _GNU_SOURCE
#include "rows.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends every child there is; those that they leave behind become ours. */
static void kill_children(void)
{
    char path[64], line[65536];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int) getpid());
    FILE *children = fopen(path, "r");
    if (!children)
        return;
    if (fgets(line, sizeof line, children))
        for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
            kill((pid_t) atol(word), SIGKILL);
    fclose(children);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: tree FILE COMMAND [ARGUMENT...]\n");
        return 2;
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        perror("tree");
        return 2;
    }
    double began = now(CLOCK_MONOTONIC), wall = 0;
    pid_t command = fork();
    if (command == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int ended = 0, status = 0;
    for (;;) {
        int how;
        pid_t pid = waitpid(-1, &how, ended ? WNOHANG : 0);
        if (pid == command) {
            wall = now(CLOCK_MONOTONIC) - began;
            ended = 1;
            status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
        } else if (pid < 0 && errno == ECHILD) {
            break;
        } else if (pid == 0) {
            usleep(10000);
            if (now(CLOCK_MONOTONIC) - began - wall > 1e9)
                kill_children();
        }
    }
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    FILE *file = fopen(argv[1], "w");
    if (!file) {
        perror(argv[1]);
        return 2;
    }
    double cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    fprintf(file, "%.0f %.0f\n", wall / 1e3, cpu);
    fclose(file);
    return status;
}
