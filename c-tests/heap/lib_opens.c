/*
 * A library that opens plugins for its user. Its RUNPATH is $ORIGIN/plugins (src/cli/tests/c_tests/program.rs).
 */
#include <dlfcn.h>

void *opens(const char *name, int mode)
{
    void *handle = dlopen(name, mode);
    __asm__ volatile("");
    return handle;
}
