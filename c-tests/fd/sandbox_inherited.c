/*
 * Under a filter that was there before, as systemd's SystemCallFilter=@system-service: whoever asks for performance events is killed.
 * It cannot be read, so what such filters do not know is not called: silent, with samples of accesses wanted or watchpoints.
 */
#include "../test.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

static void *closes(void *fd)
{
    CHECK(close(*(int *)fd) == 0);
    char *block = malloc(100000);
    CHECK(block);
    memset(block, 1, 100000);
    free(block);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        struct sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
        execl(argv[0], argv[0], "inside", NULL);
        CHECK(0);
    }
    int fd = AT(100, tcp());
    IN_THREAD(closes, &fd);
    printf("ok\n");
    return 0;
}
