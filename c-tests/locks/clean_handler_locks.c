/*
 * A timer's handler tries locks, and takes those that only it takes, while the program is in the middle of the hooks; on a signal
 * stack of 8 KiB and on stacks of the least size.
 */
#include "../test.h"
#include <sys/time.h>

static pthread_mutex_t tried = PTHREAD_MUTEX_INITIALIZER, of_handler = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t more[8];
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static volatile sig_atomic_t handled, stop;

static void handler(int signal)
{
    (void)signal;
    handled++;
    if (pthread_mutex_trylock(&of_handler) == 0) {
        int got = pthread_mutex_trylock(&tried);
        int reading = pthread_rwlock_tryrdlock(&rwlock);
        if (pthread_spin_trylock(&spin) == 0)
            pthread_spin_unlock(&spin);
        pthread_mutex_unlock(&of_handler);
        if (reading == 0)
            pthread_rwlock_unlock(&rwlock);
        if (got == 0)
            pthread_mutex_unlock(&tried);
    }
}

static void *worker(void *unused)
{
    static __thread char stack[8192];
    stack_t small = {.ss_sp = stack, .ss_size = sizeof stack};
    CHECK(sigaltstack(&small, NULL) == 0);
    while (!stop) {
        for (int i = 0; i < 8; i++)
            pthread_mutex_lock(&more[i]);
        pthread_mutex_lock(&tried);
        pthread_mutex_unlock(&more[2]);
        pthread_mutex_unlock(&tried);
        for (int i = 0; i < 8; i++)
            if (i != 2)
                pthread_mutex_unlock(&more[i]);
        pthread_rwlock_wrlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
        void *block = malloc(100);
        free(block);
    }
    small.ss_flags = SS_DISABLE;
    sigaltstack(&small, NULL);
    return unused;
}

int main(void)
{
    pthread_spin_init(&spin, 0);
    for (int i = 0; i < 8; i++)
        pthread_mutex_init(&more[i], NULL);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigaction(SIGPROF, &action, NULL);
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 32768);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], &attributes, worker, NULL) == 0);
    setitimer(ITIMER_PROF, &often, NULL);
    while (handled < 200)
        sched_yield();
    stop = 1;
    setitimer(ITIMER_PROF, &never, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    puts("ok");
    return 0;
}
