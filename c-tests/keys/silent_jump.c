/* A wrapper that ends in a jump returns to its caller, who is not the one that uses the key. */
#include "keys.h"

/* In the plugin's hands: created there, in a variable of its own. */
int main(void)
{
    void *plugin = open_plugin("lib_plugin");
    int (*create)(void) = FIND(plugin, int (*)(void), "plugin_create_shared");
    void *(*jumps)(pthread_key_t) = FIND(plugin, void *(*)(pthread_key_t), "plugin_jumps");
    pthread_key_t *shared = FIND(plugin, pthread_key_t *, "plugin_shared");
    CHECK(create() == 0);
    for (int i = 0; i < 3; i++)
        CHECK(jumps(*shared) == NULL);
    puts("ok");
    return 0;
}
