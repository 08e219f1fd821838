/* A library is unloaded whose key still has a destructor there. Nobody has a value when the program ends. */
#include "keys.h"

int main(void)
{
    void *library = open_plugin("lib_destructor");
    int (*begin)(void) = FIND(library, int (*)(void), "library_begin");
    int (*set)(int *) = FIND(library, int (*)(int *), "library_set");
    int (*end)(void) = FIND(library, int (*)(void), "library_end");
    CHECK(begin() == 0);
    CHECK(set(NULL) == 0);
#ifdef CLEAN
    CHECK(end() == 0);
#else
    (void)end;
#endif
    CHECK(dlclose(library) == 0); /* here */
    CHECK(dlopen("libc.so.6", RTLD_NOW) != NULL);
    puts("ok");
    return 0;
}
