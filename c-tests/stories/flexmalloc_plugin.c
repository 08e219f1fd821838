/* The plugin of flexmalloc.c, and its twin: the same code, likely at the same addresses, with another build id. */
#include "../tiers/tiers.h"

void *plugin_take(size_t size);

#ifndef NAME
#define NAME "plug"
#endif
const char plugin_name[] = NAME;

void *plugin_take(size_t size)
{
    void *block = malloc(size);
    return opaque(block);
}
