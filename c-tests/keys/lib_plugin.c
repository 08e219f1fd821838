/* A plugin that uses the number in a variable of its own, which it may have forgotten to create. */
#include <pthread.h>

static pthread_key_t plugin_key;

int plugin_create(void)
{
    return pthread_key_create(&plugin_key, NULL);
}

int plugin_delete(void)
{
    int result = pthread_key_delete(plugin_key);
    __asm__ volatile("" ::: "memory");
    return result;
}

int plugin_set(void *value)
{
    int result = pthread_setspecific(plugin_key, value);
    __asm__ volatile("" ::: "memory");
    return result;
}

void *plugin_get(void)
{
    void *value = pthread_getspecific(plugin_key);
    __asm__ volatile("" ::: "memory");
    return value;
}

/* Jumps: the return address is the caller's. */
void *plugin_jumps(pthread_key_t key)
{
    return pthread_getspecific(key);
}

/* A key in a variable of somebody else, as wrappers make them. */
int plugin_make(pthread_key_t *key)
{
    int result = pthread_key_create(key, NULL);
    __asm__ volatile("" ::: "memory");
    return result;
}

int plugin_put(const pthread_key_t *key, void *value)
{
    int result = pthread_setspecific(*key, value);
    __asm__ volatile("" ::: "memory");
    return result;
}

void *plugin_take(const pthread_key_t *key)
{
    void *value = pthread_getspecific(*key);
    __asm__ volatile("" ::: "memory");
    return value;
}

/* A variable that a header makes known to others. */
pthread_key_t plugin_shared;

int plugin_create_shared(void)
{
    return pthread_key_create(&plugin_shared, NULL);
}

/* Sets its own variable, for the case that it is not 0 by itself. */
void plugin_remember(pthread_key_t key)
{
    plugin_key = key;
}
