/*
 * Eighty threads forget three files each: more than one for each thread, so no design. Suspect, as they are of one name.
 * So many threads that a bit for each does not tell how many they are.
 */
#include "../leak.h"

static pthread_barrier_t gate;

/* The last one is later than the others by any clock: these lie idle then. */
static const useconds_t pauses[2][3] = {{0, 0, 0}, {0, 0, 50000}};

static void *worker(void *arg)
{
    pthread_barrier_wait(&gate);
    for (int i = 0; i < 3; i++) {
        usleep(pauses[arg != NULL][i]);
        int fd = open_null(); /* opened */
        CHECK(fd >= 0);
        FORGET(fd);
    }
    pthread_barrier_wait(&gate);
    return NULL;
}

int main(void)
{
    pthread_t threads[80];
    pthread_barrier_init(&gate, NULL, 80);
    for (int i = 0; i < 80; i++)
        CHECK(pthread_create(&threads[i], NULL, worker, i == 79 ? threads : NULL) == 0);
    for (int i = 0; i < 80; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    printf("ok\n");
    return 0;
}
