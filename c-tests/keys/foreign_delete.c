/* A plugin deletes the program's key. */
#include "keys.h"

static pthread_key_t program_key;

int main(void)
{
    void *plugin = open_plugin("lib_plugin");
    int (*delete)(void) = FIND(plugin, int (*)(void), "plugin_delete");
    void (*remember)(pthread_key_t) = FIND(plugin, void (*)(pthread_key_t), "plugin_remember");
    int (*create)(void) = FIND(plugin, int (*)(void), "plugin_create");
    CHECK(pthread_key_create(&program_key, NULL) == 0);
#ifdef CLEAN
    (void)remember;
    CHECK(create() == 0);
#else
    (void)create;
    remember(program_key);
#endif
    CHECK(delete() == 0);
    puts("ok");
    return 0;
}
