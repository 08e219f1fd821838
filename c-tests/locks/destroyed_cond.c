/* A condition variable on the heap is signalled after its destruction. In the clean twin it was made anew, by an initialiser. */
#include "../test.h"

int main(void)
{
    pthread_cond_t *ready = malloc(sizeof *ready);
    CHECK(ready);
    CHECK(pthread_cond_init(ready, NULL) == 0); /* created */
    CHECK(pthread_cond_destroy(ready) == 0);    /* deleted */
#ifdef CLEAN
    *ready = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
#endif
    CHECK(pthread_cond_signal(ready) == 0); /* here */
    puts("ok");
    return 0;
}
