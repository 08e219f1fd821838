/*
 * A block goes from one module to another, which frees it by another family: the other may have operators of its own inside, so it is
 * no proof. A block of new[] that is deleted elsewhere is one.
 */
#include "heap.h"
#include "../plugin.h"

int main()
{
    void *plugin = open_plugin("lib_allocates");
    auto make = reinterpret_cast<char *(*)(size_t)>(dlsym(plugin, "make"));
    auto unmake = reinterpret_cast<void (*)(void *)>(dlsym(plugin, "unmake"));
    CHECK(make && unmake);
    unmake(make(10));
#ifndef CLEAN
    unmake(opaque(new int(1))); /* allocated */
    delete static_cast<char *>(opaque(make(40))); /* here */
#endif
    printf("ok\n");
    return 0;
}
