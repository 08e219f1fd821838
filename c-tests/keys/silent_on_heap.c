/* A key in an object on the heap, used by two modules: whose it is cannot be known. */
#include "keys.h"

int main(void)
{
    void *plugin = open_plugin("lib_plugin");
    int (*put)(const pthread_key_t *, void *) = FIND(plugin, int (*)(const pthread_key_t *, void *), "plugin_put");
    void *(*take)(const pthread_key_t *) = FIND(plugin, void *(*)(const pthread_key_t *), "plugin_take");
    pthread_key_t *key = malloc(sizeof *key), local;
    int value, other;
    CHECK(pthread_key_create(key, NULL) == 0 && pthread_key_create(&local, NULL) == 0);
    CHECK(CALLED(pthread_setspecific(*key, &value)) == 0 && put(key, &other) == 0 && take(key) == &other);
    CHECK(put(&local, &value) == 0 && put(&local, &other) == 0);
    CHECK(pthread_key_delete(*key) == 0 && pthread_key_delete(local) == 0);
    free(key);
    puts("ok");
    return 0;
}
