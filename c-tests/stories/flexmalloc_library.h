/* The library of flexmalloc.c: it allocates, and calls back. */
#include <stddef.h>

void *library_take(size_t size);
void *library_call(void *(*callback)(size_t), size_t size);
