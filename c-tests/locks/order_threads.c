/* Eight threads, sixteen locks, always from the lower to the higher: silent, under load, while locks come and go. */
#include "order.h"

enum { LOCKS = 16, THREADS = 8, ROUNDS = 4000 };
static pthread_mutex_t locks[LOCKS];
static pthread_mutex_t own[THREADS];

static void *work(void *of)
{
    long thread = (long)of;
    unsigned seed = (unsigned)thread + 1;
    for (int round = 0; round < ROUNDS; round++) {
        int held[4], n = 0;
        for (int i = 0; i < LOCKS && n < 4; i++) {
            seed = seed * 1103515245 + 12345;
            if (seed >> 16 & 3) {
                continue;
            }
            CHECK(pthread_mutex_lock(&locks[i]) == 0);
            held[n++] = i;
        }
        if (round % 64 == 0) {
            pthread_mutex_t *fresh = malloc(sizeof *fresh);
            CHECK(fresh != NULL && pthread_mutex_init(fresh, NULL) == 0);
            nest(&own[thread], fresh);
            CHECK(pthread_mutex_destroy(fresh) == 0);
            free(fresh);
        }
        while (n > 0)
            CHECK(pthread_mutex_unlock(&locks[held[--n]]) == 0);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < LOCKS; i++)
        CHECK(pthread_mutex_init(&locks[i], NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_mutex_init(&own[i], NULL) == 0);
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
#ifndef CLEAN
    NEST(&locks[15], &locks[0]);
#endif
    puts("ok");
    return 0;
}
