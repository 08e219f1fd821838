/*
 * What all C tests share: an end after 50 seconds, CHECK, and AT, which gives a descriptor a number of its own.
 *
 * A test prints "ok" last. Findings are expected in the .expect file beside it; the comments `opened`, `closed` and `here` mark
 * the lines that they name. A program with findings has a clean twin, which defines CLEAN and includes it.
 */
#ifndef TEST_H
#define TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: failed: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);                  \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Moves the descriptor that `expression` makes to `number`, which nothing else will be given by accident. */
#define AT(number, expression)                                                                                         \
    ({                                                                                                                 \
        int made_ = (expression);                                                                                      \
        CHECK(made_ >= 0);                                                                                             \
        CHECK(dup2(made_, (number)) == (number));                                                                      \
        CHECK(close(made_) == 0);                                                                                      \
        (number);                                                                                                      \
    })

/* Runs `function` in a thread of its own, to its end. */
#define IN_THREAD(function, argument)                                                                                  \
    ({                                                                                                                 \
        pthread_t thread_;                                                                                             \
        CHECK(pthread_create(&thread_, NULL, (function), (argument)) == 0);                                            \
        CHECK(pthread_join(thread_, NULL) == 0);                                                                       \
    })

__attribute__((constructor, unused)) static void bounded(void)
{
    alarm(50); /* Ten thousand threads take 3 s on two idle cores, and 20 where four builds run. */
}

static inline int open_null(void)
{
    return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static inline int tcp(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

/* Returns when the thread sleeps in a system call that is not a futex: a thread that has passed its barriers, in read(). */
static inline void until_blocked(pid_t thread)
{
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)thread);
    for (;;) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0);
        ssize_t n = read(fd, text, sizeof text - 1);
        close(fd);
        CHECK(n > 0);
        text[n] = 0;
        /* The number of the call; or "running"; or -1, blocked elsewhere. */
        if (text[0] >= '0' && text[0] <= '9' && strtol(text, NULL, 10) != SYS_futex)
            return;
        sched_yield();
    }
}

#endif
