/*
 * Call sites for FlexMalloc's location files: in the program, through a wrapper, in a library, through a library's callback, in a
 * plugin that is loaded later, in its twin that is loaded when the plugin is gone, on another thread, at several depths of one
 * recursion; and malloc, calloc, realloc, posix_memalign.
 *
 *     flexmalloc DIRECTORY PLUGIN TWIN
 */
#include "flexmalloc.h"
#include "flexmalloc_library.h"
#include <dlfcn.h>

APART static void direct(void)
{
    void *block = malloc(SITE(0));
    SAY(0, block);
    free(block);
}

APART static void *wrapper(size_t size)
{
    void *block = malloc(size);
    return opaque(block);
}

APART static void first(void)
{
    void *block = wrapper(SITE(1));
    SAY(1, block);
    free(block);
}

APART static void second(void)
{
    void *block = wrapper(SITE(2));
    SAY(2, block);
    free(block);
}

APART static void in_library(void)
{
    void *block = library_take(SITE(3));
    SAY(3, block);
    free(block);
}

APART static void *called_back(size_t size)
{
    void *block = malloc(size);
    return opaque(block);
}

APART static void through_library(void)
{
    void *block = library_call(called_back, SITE(4));
    SAY(4, block);
    free(block);
}

APART static void in_plugin(const char *path, int number)
{
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(plugin);
    void *(*take)(size_t);
    *(void **)&take = dlsym(plugin, "plugin_take");
    CHECK(take);
    void *block = take(SITE(number));
    SAY(number, block);
    free(block);
    CHECK(dlclose(plugin) == 0);
}

APART static void other_calls(void)
{
    void *block = calloc(1, SITE(7));
    SAY(7, block);
    free(block);
    block = malloc(2000);
    CHECK(block);
    block = realloc(opaque(block), SITE(8));
    SAY(8, block);
    free(block);
    CHECK(posix_memalign(&block, 256, SITE(9)) == 0);
    SAY(9, block);
    free(block);
}

static void *on_thread(void *unused)
{
    void *block = malloc(SITE(10));
    SAY(10, block);
    free(block);
    return unused;
}

/* One return address, at a depth of its own for each number. */
APART static void *deep(int depth, size_t size)
{
    void *block = depth ? deep(depth - 1, size) : malloc(size);
    return opaque(block);
}

APART static void recursions(void)
{
    void *block = deep(2, SITE(11));
    SAY(11, block);
    free(block);
    block = deep(3, SITE(12));
    SAY(12, block);
    free(block);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    directory = argv[1];
    setvbuf(stdout, NULL, _IONBF, 0);
    /* What was decided once is decided so again. */
    for (int round = 0; round < 3; round++) {
        direct();
        first();
        second();
        in_library();
        through_library();
        /* The same return addresses, but for the plugin's own. */
        for (char **path = argv + 2; *path; path++)
            in_plugin(*path, 5 + (int)(path - argv) - 2);
        other_calls();
        IN_THREAD(on_thread, NULL);
        recursions();
    }
    fprintf(stderr, "main at %p\n", (void *)main);
    printf("ok\n");
    return 3;
}
