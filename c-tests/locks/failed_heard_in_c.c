/* The same in C: nobody throws, and the failure is told at once, before the program does anything else with locks. */
#include "../test.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

int main(void)
{
    pthread_rwlock_wrlock(&lock); /* locked */
#ifndef CLEAN
    pthread_rwlock_rdlock(&lock); /* here */
#endif
    puts("ok");
    return 0;
}
