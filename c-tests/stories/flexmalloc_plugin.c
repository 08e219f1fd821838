/* The plugin of flexmalloc.c. Its twin is the same file under another name: the same code, likely at the same addresses. */
#include "../tiers/tiers.h"

void *plugin_take(size_t size);

void *plugin_take(size_t size)
{
    void *block = malloc(size);
    return opaque(block);
}
