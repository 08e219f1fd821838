/*
 * The program of scripts/check-faults. Each mode closes a descriptor twice at a known line, then does what its name says, and prints the same
 * whether it is watched or not:
 *
 *     busy MARKS N      marks that the double close is done, then opens, allocates and locks until it is killed
 *     kill N CMD…       starts CMD N times, each with its number behind it, and kills it after up to 30 ms
 *     storm SECONDS     a timer of 10 kHz whose handler calls close, write and sigaltstack, against threads that do the same
 *     threads N         so many at once
 *     small-stacks N    threads of 64 KiB, one after the other
 *     children N        forks and executes itself so often
 *     sandbox [kills]   seccomp: whatever a program of pipes and malloc does not need is refused with EPERM, or ends it, from now on
 *     clock SECONDS     the monotonic clock jumps, as CRIU makes it do: a time namespace
 *     plain             nothing more
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(claim)                                                                                                   \
    do {                                                                                                               \
        if (!(claim)) {                                                                                                \
            fprintf(stderr, "%s:%d: failed: %s (errno %d)\n", __FILE__, __LINE__, #claim, errno);                      \
            _exit(99);                                                                                                 \
        }                                                                                                              \
    } while (0)

static void closed_twice(void)
{
    int fd = open("/dev/null", O_RDONLY);
    CHECK(fd >= 0 && close(fd) == 0);
    close(fd);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* A little of everything that is watched. */
static void work(void)
{
    int p[2], fd = open("/dev/null", O_WRONLY);
    CHECK(fd >= 0 && pipe(p) == 0);
    char *block = malloc(1000), byte = 1;
    CHECK(block && write(fd, &byte, 1) == 1);
    pthread_mutex_lock(&mutex);
    block = realloc(block, 3000);
    pthread_mutex_unlock(&mutex);
    int more = dup(fd);
    CHECK(block && more >= 0 && close(fd) == 0 && close(more) == 0 && close(p[0]) == 0 && close(p[1]) == 0);
    free(block);
}

static void *work_once(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++)
        work();
    return NULL;
}

static void busy(const char *marks, int number)
{
    int fd = open(marks, O_RDWR);
    CHECK(fd >= 0);
    char *mark = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(mark != MAP_FAILED && close(fd) == 0);
    mark[number] = 1;
    for (;;)
        work();
}

static void kill_it(int times, char **command, int count)
{
    char number[16], *arguments[32];
    CHECK(count < 30);
    memcpy(arguments, command, (size_t)count * sizeof *arguments);
    arguments[count] = number;
    arguments[count + 1] = NULL;
    unsigned seed = 1;
    int killed = 0;
    for (int i = 0; i < times; i++) {
        snprintf(number, sizeof number, "%d", i);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            execvp(arguments[0], arguments);
            _exit(127);
        }
        seed = seed * 1103515245u + 12345u;
        struct timespec wait = {0, (long)(seed >> 8) % 30000 * 1000};
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    printf("killed %d of %d\n", killed, times);
}

static atomic_long handled;
static atomic_int over;

static void on_timer(int number)
{
    (void)number;
    int before = errno;
    stack_t now;
    CHECK(sigaltstack(NULL, &now) == 0);
    int fd = open("/dev/null", O_WRONLY);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
    atomic_fetch_add(&handled, 1);
    errno = before;
}

static void *against_storm(void *unused)
{
    (void)unused;
    while (!atomic_load(&over)) {
        int fd = open("/dev/null", O_RDWR), p[2];
        CHECK(fd >= 0 && pipe(p) == 0 && write(p[1], "a", 1) == 1);
        errno = 77;
        free(malloc(100 + (size_t)fd));
        CHECK(close(p[0]) == 0 && close(p[1]) == 0 && close(fd) == 0 && errno == 77);
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void storm(int seconds)
{
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, 100}, {0, 100}};
    pthread_t threads[3];
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, against_storm, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    time_t end = time(NULL) + seconds;
    while (time(NULL) < end)
        work_once(NULL);
    atomic_store(&over, 1);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    timer = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
    fprintf(stderr, "handled %ld\n", atomic_load(&handled));
    CHECK(atomic_load(&handled) > seconds * 100);
    printf("storm over\n");
}

static void *waits(void *barrier)
{
    work();
    pthread_barrier_wait(barrier);
    work_once(NULL);
    return NULL;
}

static void threads(int count)
{
    pthread_t *all = calloc((size_t)count, sizeof *all);
    pthread_barrier_t barrier;
    pthread_attr_t small;
    CHECK(all && pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 256 << 10) == 0);
    CHECK(pthread_barrier_init(&barrier, NULL, (unsigned)count) == 0);
    for (int i = 0; i < count; i++)
        CHECK(pthread_create(&all[i], &small, waits, &barrier) == 0);
    for (int i = 0; i < count; i++)
        CHECK(pthread_join(all[i], NULL) == 0);
    free(all);
    printf("%d threads\n", count);
}

static void small_stacks(int count)
{
    pthread_attr_t small;
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 64 << 10) == 0);
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, &small, work_once, NULL) == 0 && pthread_join(thread, NULL) == 0);
    }
    printf("%d small threads\n", count);
}

static void children(char *self, int count)
{
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            if (i % 2)
                _exit(7);
            execl(self, self, "plain", "quietly", (char *)NULL);
            _exit(127);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == (i % 2 ? 7 : 0));
    }
    printf("%d children\n", count);
}

static void sandbox(unsigned refusal)
{
    static const int allowed[] = {SYS_read,   SYS_write,  SYS_close, SYS_openat,     SYS_pipe, SYS_pipe2,        SYS_dup,         SYS_brk,
                                  SYS_mmap,   SYS_munmap, SYS_futex, SYS_exit_group, SYS_exit, SYS_rt_sigreturn, SYS_newfstatat};
    enum { COUNT = sizeof allowed / sizeof *allowed };
    struct sock_filter filter[COUNT + 4];
    int n = 0;
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < COUNT; i++)
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], (unsigned char)(COUNT - i), 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, refusal);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {(unsigned short)n, filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    closed_twice();
    for (int i = 0; i < 2000; i++)
        work();
    printf("in the sandbox\n");
}

static void clock_jumps(long seconds)
{
    struct timespec before, after;
    char line[64];
    int length = snprintf(line, sizeof line, "monotonic %ld 0\nboottime %ld 0\n", seconds, seconds);
    clock_gettime(CLOCK_MONOTONIC, &before);
    work();
    CHECK(unshare(CLONE_NEWTIME) == 0);
    int offsets = open("/proc/self/timens_offsets", O_WRONLY);
    CHECK(offsets >= 0 && write(offsets, line, (size_t)length) == length && close(offsets) == 0);
    int space = open("/proc/self/ns/time_for_children", O_RDONLY);
    CHECK(space >= 0 && setns(space, CLONE_NEWTIME) == 0 && close(space) == 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK(labs(after.tv_sec - before.tv_sec - seconds) < 10);
    for (int i = 0; i < 2000; i++)
        work();
    closed_twice();
    printf("the clock has jumped\n");
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "plain";
    int number = argc > 2 ? atoi(argv[2]) : 0;
    if (strcmp(mode, "kill") == 0) {
        kill_it(number, argv + 3, argc - 3);
        return 0;
    }
    closed_twice();
    if (strcmp(mode, "busy") == 0)
        busy(argv[2], atoi(argv[3]));
    else if (strcmp(mode, "storm") == 0)
        storm(number);
    else if (strcmp(mode, "threads") == 0)
        threads(number);
    else if (strcmp(mode, "small-stacks") == 0)
        small_stacks(number);
    else if (strcmp(mode, "children") == 0)
        children(argv[0], number);
    else if (strcmp(mode, "sandbox") == 0)
        sandbox(argc > 2 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM);
    else if (strcmp(mode, "clock") == 0)
        clock_jumps(number);
    else if (argc < 3)
        printf("plain\n");
    return 0;
}
