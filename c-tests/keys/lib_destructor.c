/* A library with a key whose destructor is its own. */
#include <pthread.h>

static pthread_key_t key;
int library_ended;

static void ends(void *value)
{
    ++*(int *)value;
}

int library_begin(void)
{
    return pthread_key_create(&key, ends); /* created */
}

int library_set(int *value)
{
    int result = pthread_setspecific(key, value);
    __asm__ volatile("" ::: "memory");
    return result;
}

int library_end(void)
{
    int result = pthread_key_delete(key);
    __asm__ volatile("" ::: "memory");
    return result;
}

/* Without a destructor. */
int library_begin_plain(void)
{
    return pthread_key_create(&key, NULL);
}
