/* In a C++ program a thread ends after a failure that nobody has heard: it is told then. */
#include "../test.h"
#include "throw.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void *worker(void *unused)
{
    pthread_rwlock_wrlock(&lock); /* locked */
#ifndef CLEAN
    pthread_rwlock_wrlock(&lock); /* here */
#else
    pthread_rwlock_unlock(&lock);
#endif
    return unused;
}

int main(int argc, char **)
{
    if (argc > 5)
        throw_system_error(argc); /* as any user of std::mutex imports it */
    IN_THREAD(worker, NULL);
    puts("ok");
    return 0;
}
