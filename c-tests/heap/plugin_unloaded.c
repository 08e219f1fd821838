/*
 * The library whose code has allocated is gone when its block is freed twice: the report still names its line.
 */
#include "heap.h"
#include "../plugin.h"

int main(void)
{
    void *plugin = open_plugin("lib_allocates");
    char *(*make)(size_t);
    *(void **)&make = dlsym(plugin, "make");
    char *block = make(40);
    CHECK(dlclose(plugin) == 0);
    free(block); /* freed */
#ifndef CLEAN
    free(opaque(block)); /* here */
#endif
    printf("ok\n");
    return 0;
}
