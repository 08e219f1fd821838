/* The plugin has deleted its key and goes on with the number, which is the program's by now. */
#include "keys.h"

static pthread_key_t program_key;

int main(void)
{
    void *plugin = open_plugin("lib_plugin");
    int (*create)(void) = FIND(plugin, int (*)(void), "plugin_create");
    int (*delete)(void) = FIND(plugin, int (*)(void), "plugin_delete");
    int (*set)(void *) = FIND(plugin, int (*)(void *), "plugin_set");
    CHECK(create() == 0);
    CHECK(set(&create) == 0);
    CHECK(delete() == 0);
    CHECK(pthread_key_create(&program_key, NULL) == 0); /* victim */
#ifdef CLEAN
    CHECK(create() == 0);
#endif
    CHECK(set(&set) == 0);
    puts("ok");
    return 0;
}
