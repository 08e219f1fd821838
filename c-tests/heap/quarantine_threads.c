/*
 * Threads that free each other's blocks, come and go, and fork meanwhile: nothing is lost, and nothing waits for ever.
 */
#include "poke.h"

enum { THREADS = 4, ROUNDS = 20000 };
static char *_Atomic shared[64];

static void *churn(void *number)
{
    unsigned seed = (unsigned)(uintptr_t)number;
    for (int i = 0; i < ROUNDS; i++) {
        size_t size = (size_t)rand_r(&seed) % 2000 + 1;
        char *mine = FILLED(size);
        char *theirs = __atomic_exchange_n((char **)&shared[(unsigned)rand_r(&seed) % 64], mine, __ATOMIC_ACQ_REL);
        if (theirs) {
            CHECK(theirs[0] == 'x');
            free(theirs);
        }
    }
    return NULL;
}

static void *short_life(void *unused)
{
    for (int i = 0; i < 100; i++)
        free(FILLED(50));
    return unused;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) == 0);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            for (int j = 0; j < 500; j++)
                free(FILLED(500));
            IN_THREAD(short_life, NULL);
            _exit(0);
        }
        int status;
        CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
        IN_THREAD(short_life, NULL);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    printf("ok\n");
    return 0;
}
