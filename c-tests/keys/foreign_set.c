/* The program's key is 0, and so is the variable of a plugin that forgets pthread_key_create: it overwrites the value. */
#include "keys.h"

static pthread_key_t program_key;

int main(void)
{
    void *plugin = open_plugin("lib_plugin");
    int (*set)(void *) = FIND(plugin, int (*)(void *), "plugin_set");
    void (*remember)(pthread_key_t) = FIND(plugin, void (*)(pthread_key_t), "plugin_remember");
    int (*create)(void) = FIND(plugin, int (*)(void), "plugin_create");
    static int ours, theirs;
    CHECK(pthread_key_create(&program_key, NULL) == 0); /* victim */
    CHECK(pthread_setspecific(program_key, &ours) == 0);
#ifdef CLEAN
    (void)remember;
    CHECK(create() == 0);
#else
    (void)create;
    remember(program_key);
#endif
    CHECK(set(&theirs) == 0);
    printf("%s\n", pthread_getspecific(program_key) == &ours ? "as it was" : "overwritten");
    puts("ok");
    return 0;
}
