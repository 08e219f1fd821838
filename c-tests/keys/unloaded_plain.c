/* A library is unloaded that had a key without a destructor: an index is lost, and that is all. */
#include "keys.h"

int main(void)
{
    void *library = open_plugin("lib_destructor");
    int (*begin)(void) = FIND(library, int (*)(void), "library_begin_plain");
    CHECK(begin() == 0);
    CHECK(dlclose(library) == 0); /* here */
    puts("ok");
    return 0;
}
