/* A plugin takes the program's value for its own. */
#include "keys.h"

static pthread_key_t program_key;

int main(void)
{
    void *plugin = open_plugin("lib_plugin");
    void *(*get)(void) = FIND(plugin, void *(*)(void), "plugin_get");
    void (*remember)(pthread_key_t) = FIND(plugin, void (*)(pthread_key_t), "plugin_remember");
    int (*create)(void) = FIND(plugin, int (*)(void), "plugin_create");
    CHECK(pthread_key_create(&program_key, NULL) == 0);
    CHECK(pthread_setspecific(program_key, &program_key) == 0);
#ifdef CLEAN
    (void)remember;
    CHECK(create() == 0);
    CHECK(get() == NULL);
#else
    (void)create;
    remember(program_key);
    CHECK(get() == &program_key);
#endif
    puts("ok");
    return 0;
}
