/* The library that flexmalloc.c is linked with. */
#include "flexmalloc_library.h"
#include "../tiers/tiers.h"

void *library_take(size_t size)
{
    void *block = malloc(size);
    return opaque(block);
}

void *library_call(void *(*callback)(size_t), size_t size)
{
    void *block = callback(size);
    return opaque(block);
}
