/* A thread has a value for a key whose destructor is unloaded before it ends. */
#include "keys.h"

static int (*set)(int *);
static int value;
static pthread_barrier_t both;

static void *lives(void *argument)
{
    CHECK(set(&value) == 0);
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&both);
    return argument;
}

int main(void)
{
    void *library = open_plugin("lib_destructor");
    int (*begin)(void) = FIND(library, int (*)(void), "library_begin");
    set = FIND(library, int (*)(int *), "library_set");
    CHECK(begin() == 0);
    pthread_t thread;
    CHECK(pthread_barrier_init(&both, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, lives, NULL) == 0);
    pthread_barrier_wait(&both);
#ifndef CLEAN
    CHECK(dlclose(library) == 0); /* here */
#endif
    pthread_barrier_wait(&both);
    CHECK(pthread_join(thread, NULL) == 0);
#ifdef CLEAN
    CHECK(value == 1);
#else
    CHECK(value == 0);
#endif
    puts("ok");
    return 0;
}
