/*
 * dlopen looks for a bare name in the RUNPATH of whoever calls it, and $ORIGIN in a name is that caller's folder. The loader finds
 * the caller by the address that dlopen returns to: with a frame of ours there, it would be our folder and our RUNPATH, which is
 * none. The program has no RUNPATH, the library lib_opens has one.
 */
#include "heap.h"
#include "../plugin.h"

static void *(*opens)(const char *, int);

static void found(const char *name, int mode)
{
    void *plugin = opens(name, mode);
    CHECK(plugin);
    int (*of_runpath)(void);
    *(void **)&of_runpath = dlsym(plugin, "of_runpath");
    CHECK(of_runpath && of_runpath() == 4711);
    CHECK(dlclose(plugin) == 0);
}

int main(void)
{
    void *library = open_plugin("lib_opens");
    *(void **)&opens = dlsym(library, "opens");
    CHECK(opens);
    const char *name = "lib_of_runpath.so";
    CHECK(dlopen(name, RTLD_NOW) == NULL && dlerror());
    found(name, RTLD_NOW);
    found(name, RTLD_LAZY | RTLD_LOCAL);
    found(name, RTLD_NOW | RTLD_DEEPBIND);
    found("$ORIGIN/plugins/lib_of_runpath.so", RTLD_NOW);
    CHECK(dlopen(name, RTLD_NOW) == NULL && dlerror());
    CHECK(opens("lib_of_runpath_that_is_not_there.so", RTLD_NOW) == NULL && dlerror());

    /* A path with a slash is looked for nowhere else than from where the program is. */
    char folder[4096];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    CHECK(length > 0);
    folder[length] = 0;
    *strrchr(folder, '/') = 0;
    CHECK(chdir(folder) == 0);
    found("./plugins/lib_of_runpath.so", RTLD_NOW);
    found("plugins/../plugins/lib_of_runpath.so", RTLD_NOW | RTLD_DEEPBIND);
    CHECK(chdir("plugins") == 0);
    CHECK(dlopen("./plugins/lib_of_runpath.so", RTLD_NOW) == NULL && dlerror());
    found("./lib_of_runpath.so", RTLD_NOW);

    CHECK(opens(NULL, RTLD_NOW) != NULL);
    CHECK(dlclose(library) == 0);
    printf("ok\n");
    return 0;
}
