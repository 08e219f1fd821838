/* A library makes keys in variables of its users, and does all that is done with them. */
#include "keys.h"

static pthread_key_t key;

int main(void)
{
    void *plugin = open_plugin("lib_plugin");
    int (*make)(pthread_key_t *) = FIND(plugin, int (*)(pthread_key_t *), "plugin_make");
    int (*put)(const pthread_key_t *, void *) = FIND(plugin, int (*)(const pthread_key_t *, void *), "plugin_put");
    void *(*take)(const pthread_key_t *) = FIND(plugin, void *(*)(const pthread_key_t *), "plugin_take");
    int value, other;
    CHECK(make(&key) == 0);
    CHECK(put(&key, &value) == 0 && take(&key) == &value);
    CHECK(put(&key, &other) == 0 && take(&key) == &other);
    CHECK(CALLED(pthread_getspecific(key)) == &other);
    CHECK(CALLED(pthread_setspecific(key, &value)) == 0);
    CHECK(CALLED(pthread_key_delete(key)) == 0);
    puts("ok");
    return 0;
}
