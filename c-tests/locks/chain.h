/*
 * The story of the capture system in one thread: a destructor fails to lock, because its caller has the lock, and returns. Later
 * the object is freed all the same; then a program does something with it that it may not. What is found of that tells where it
 * began. With CLEAN nothing fails.
 */
#ifndef CHAIN_H
#define CHAIN_H

#include "../test.h"

struct object {
    struct object *next;
    long number;
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

__attribute__((noinline)) static struct object *make(void)
{
    return calloc(1, sizeof(struct object)); /* allocated */
}

__attribute__((noinline)) static void release(struct object *object)
{
    free(object); /* freed */
}

__attribute__((noinline)) static int destroy(struct object *object)
{
    int error = pthread_rwlock_wrlock(&lock); /* failed */
    if (error)
        return error;
    release(object);
    CHECK(pthread_rwlock_unlock(&lock) == 0);
    return 0;
}

/* Its end; the address is worth nothing any more. */
__attribute__((noinline)) static void fail_and_destroy(struct object *object)
{
#ifndef CLEAN
    CHECK(pthread_rwlock_wrlock(&lock) == 0); /* held */
    CHECK(destroy(object) == EDEADLK);
    CHECK(pthread_rwlock_unlock(&lock) == 0); /* on */
#endif
    CHECK(destroy(object) == 0);
}

#endif
