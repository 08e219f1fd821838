/* A plugin is unloaded while its static mutex is held. Not meant: a plugin that another handle keeps, or whose destructor unlocks. */
#include "../plugin.h"
#include "../test.h"

int main(void)
{
    for (int round = 0; round < 3; round++) {
        void *plugin = open_plugin("lib_with_mutex");
        void *again = open_plugin("lib_with_mutex");
        void (*work)(void) = (void (*)(void))dlsym(plugin, "plugin_work");
        void (*take)(void) = (void (*)(void))dlsym(plugin, "plugin_take");
        pthread_mutex_t *lock = dlsym(plugin, "plugin_lock");
        work();
        take();
        CHECK(dlclose(again) == 0);
        CHECK(pthread_mutex_trylock(lock) == EBUSY);
        *(int *)dlsym(plugin, "plugin_unlocks_at_end") = 1;
        CHECK(dlclose(plugin) == 0);
    }
    void *plugin = open_plugin("lib_with_mutex");
    pthread_mutex_t *lock = dlsym(plugin, "plugin_lock");
    pthread_mutex_lock(lock); /* locked */
#ifdef CLEAN
    pthread_mutex_unlock(lock);
#endif
    CHECK(dlclose(plugin) == 0); /* here */
    puts("ok");
    return 0;
}
