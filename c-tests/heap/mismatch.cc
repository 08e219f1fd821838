/*
 * Blocks that are freed by another family than the one that allocated them. glibc and libstdc++ go along; other allocators, and
 * destructors that are not called, do not.
 */
#include "heap.h"
#include <new>

template <typename T> static T *seen(T *pointer)
{
    return static_cast<T *>(opaque(pointer));
}

int main()
{
#ifndef CLEAN
    int *array = seen(new int[10]); /* allocated */
    delete array; /* here */

    int *one = seen(new int(1)); /* allocated */
    delete[] one; /* here */

    int *from_malloc = seen(static_cast<int *>(malloc(40))); /* allocated */
    delete from_malloc; /* here */

    int *from_calloc = seen(static_cast<int *>(calloc(10, 4))); /* allocated */
    delete[] from_calloc; /* here */

    int *to_free = seen(new int(2)); /* allocated */
    free(to_free); /* here */

    int *array_to_free = seen(new int[10]); /* allocated */
    free(array_to_free); /* here */

    int *to_realloc = seen(new int[10]); /* allocated */
    free(realloc(to_realloc, 80)); /* here */

    int *quiet = seen(new (std::nothrow) int[10]); /* allocated */
    ::operator delete(quiet, std::nothrow); /* here */

    void *wide = seen(::operator new(64, std::align_val_t(64))); /* allocated */
    free(wide); /* here */
#endif
    printf("ok\n");
    return 0;
}
