/* A plugin with a static mutex; its destructor lets the mutex go when it was asked to. */
#include <pthread.h>

pthread_mutex_t plugin_lock = PTHREAD_MUTEX_INITIALIZER;
int plugin_unlocks_at_end;

void plugin_take(void)
{
    pthread_mutex_lock(&plugin_lock);
}

void plugin_work(void)
{
    pthread_mutex_lock(&plugin_lock);
    pthread_mutex_unlock(&plugin_lock);
}

__attribute__((destructor)) static void end(void)
{
    if (plugin_unlocks_at_end)
        pthread_mutex_unlock(&plugin_lock);
}
