/* A constructor whose last act is to create a key: the compiler makes a jump of the call, and what pthread_key_create returns to is libc's or
 * the loader's code that calls constructors. The key is the program's all the same, and so is its deletion at the end: libgfortran does
 * this. */
#include "keys.h"

static pthread_key_t key;

__attribute__((constructor, optimize("O2"))) static void begin(void)
{
    pthread_key_create(&key, free);
}

__attribute__((destructor, optimize("O2"))) static void end(void)
{
    pthread_key_delete(key);
}

static void *lives(void *argument)
{
    CHECK(pthread_getspecific(key) == NULL);
    CHECK(pthread_setspecific(key, malloc(20)) == 0);
    return argument;
}

int main(void)
{
    CHECK(pthread_setspecific(key, &key) == 0);
    IN_THREAD(lives, NULL);
    CHECK(pthread_getspecific(key) == &key);
    CHECK(pthread_setspecific(key, NULL) == 0);
    puts("ok");
    return 0;
}
