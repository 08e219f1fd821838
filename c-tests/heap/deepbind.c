/*
 * A plugin that is opened with RTLD_DEEPBIND, as PHP opens its extensions, frees what the program has allocated, and the
 * program what it has: bound to libc first, it would free past us a block that is not libc's.
 * Where we keep every block, dlopen takes RTLD_DEEPBIND out: the plugin's calls are seen, and a second free in it too.
 */
#include "heap.h"
#include <dlfcn.h>

int main(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
    CHECK(length > 0);
    path[length] = 0;
    strcpy(strrchr(path, '/') + 1, "lib_allocates.so");
    void *plugin = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);
    CHECK(plugin);
    char *(*make)(size_t);
    void (*unmake)(void *);
    *(void **)&make = dlsym(plugin, "make");
    *(void **)&unmake = dlsym(plugin, "unmake");
    CHECK(make && unmake);
    for (int i = 0; i < 200; i++) {
        unmake(filled(40));
        free(make(40));
        unmake(filled(3000));
    }
    char *block = make(100);
#ifndef CLEAN
    char *volatile held = block;
    free(block); /* freed */
    unmake(held);
#else
    unmake(block);
#endif
    CHECK(dlopen("no-such-library.so", RTLD_NOW) == NULL && dlerror());
    CHECK(dlclose(plugin) == 0);
    printf("ok\n");
    return 0;
}
