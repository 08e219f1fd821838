/* Bench rows of keys and locks: see rows.h. Rows that end in /2 run in two threads; `others` means that another thread exists,
 * which takes libc's own shortcuts for a program of one thread away. */
#define _GNU_SOURCE
#include "rows.h"

#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_key_t key;
static volatile unsigned long shared;

static void mutex_row(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
}

static void nested_row(long n)
{
    pthread_mutex_lock(&second);
    mutex_row(n);
    pthread_mutex_unlock(&second);
}

static void read_row(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_rwlock_rdlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
    }
}

static void write_row(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_rwlock_wrlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
    }
}

static void spin_row(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_spin_lock(&spin);
        pthread_spin_unlock(&spin);
    }
}

/* A short section, as of a queue, and some work of one's own between two. */
static void contended(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_mutex_lock(&mutex);
        for (int k = 0; k < 10; k++)
            shared += k;
        pthread_mutex_unlock(&mutex);
        for (volatile int k = 0; k < 50; k++)
            ;
    }
}

static void get_row(long n)
{
    for (long i = 0; i < n; i++)
        shared += (unsigned long)pthread_getspecific(key);
}

static void set_row(long n)
{
    for (long i = 0; i < n; i++)
        pthread_setspecific(key, &key);
}

static const struct row rows[] = {
    {"mutex", mutex_row, 4000000, 1, 0},
    {"mutex-others", mutex_row, 4000000, 1, 1},
    {"nested", nested_row, 4000000, 1, 0},
    {"rdlock", read_row, 2000000, 1, 0},
    {"wrlock", write_row, 2000000, 1, 0},
    {"spin", spin_row, 4000000, 1, 0},
    {"contended/2", contended, 400000, 2, 0},
    {"getspecific", get_row, 10000000, 1, 0},
    {"setspecific", set_row, 5000000, 1, 0},
};

static void *work(void *of)
{
    deep(11, do_job, of);
    return NULL;
}

static void *waits(void *of)
{
    (void)of;
    pause();
    return NULL;
}

static void run(const struct row *r, long n)
{
    static int has_other;
    pthread_t thread[8];
    struct job job = {r, n};
    if (r->others && !has_other++ && pthread_create(&thread[0], NULL, waits, NULL) != 0)
        abort();
    if (r->threads == 1) {
        run_here(r, n);
        return;
    }
    for (int i = 0; i < r->threads; i++)
        if (pthread_create(&thread[i], NULL, work, &job) != 0)
            abort();
    for (int i = 0; i < r->threads; i++)
        pthread_join(thread[i], NULL);
}

int main(int argc, char **argv)
{
    if (pthread_key_create(&key, NULL) != 0 || pthread_setspecific(key, &key) != 0 || pthread_spin_init(&spin, 0) != 0)
        abort();
    return RUN_ROWS(argc, argv, rows, run);
}
