/*
 * EDEADLK in C++: an exception that is caught was heard, and is information. What a C call of the same program is told and ignores is
 * an error, with the stack of the failure.
 */
#include "../test.h"
#include "throw.h"

/* As libstdc++ writes it, with lines of our own. */
struct Shared {
    pthread_rwlock_t inside = PTHREAD_RWLOCK_INITIALIZER;
    void lock()
    {
        int error = pthread_rwlock_wrlock(&inside); /* locked, here */
        if (error == EDEADLK)
            throw_system_error(error);
    }
    void lock_shared()
    {
        int error = pthread_rwlock_rdlock(&inside); /* here */
        if (error == EDEADLK)
            throw_system_error(error);
    }
    void unlock()
    {
        pthread_rwlock_unlock(&inside);
    }
};

static Shared shared;
static pthread_rwlock_t plain = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;

static int caught(void (*action)())
{
    try {
        action();
    } catch (const std::system_error &e) {
        return e.code().value();
    }
    return 0;
}

int main()
{
    shared.lock();
    CHECK(caught([] { shared.lock(); }) == EDEADLK);
    CHECK(caught([] { shared.lock_shared(); }) == EDEADLK);
    shared.unlock();
    shared.lock();
    shared.unlock();

    pthread_rwlock_wrlock(&plain); /* locked */
#ifndef CLEAN
    pthread_rwlock_wrlock(&plain); /* here */
#endif
    pthread_mutex_lock(&other);
    pthread_mutex_unlock(&other);
    puts("ok");
    return 0;
}
