/*
 * The program replaces operator new[] and delete[] only.
 */
#include "heap.h"
#include <new>

/* Compilers may take it that these operators touch no variable of the program. */
static volatile int made;

void *operator new[](size_t size)
{
    made = made + 1;
    char *block = static_cast<char *>(malloc(size + 16));
    return block + 16;
}

void operator delete[](void *block) noexcept
{
    made = made - 1;
    free(static_cast<char *>(block) - 16);
}

int main()
{
    int *numbers = static_cast<int *>(opaque(new int[10]));
    CHECK(made == 1);
    delete[] numbers;
    CHECK(made == 0);
    int *quiet = static_cast<int *>(opaque(new (std::nothrow) int[10]));
    CHECK(made == 1);
    ::operator delete[](quiet, size_t(40));
    CHECK(made == 0);
    delete static_cast<int *>(opaque(new int));
    printf("ok\n");
    return 0;
}
