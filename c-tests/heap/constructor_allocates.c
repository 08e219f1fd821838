/*
 * Constructors allocate, before ours has run and before main, and main frees it; destructors free after main, and after our end.
 */
#include "heap.h"

static char *early[100], *later;

__attribute__((constructor(101))) static void first_of_all(void)
{
    for (int i = 0; i < 100; i++)
        early[i] = filled((size_t)i + 1);
    later = filled(5000);
}

__attribute__((destructor(101))) static void last_of_all(void)
{
    free(later);
    for (int i = 50; i < 100; i++)
        free(early[i]);
    free(filled(30));
}

int main(void)
{
    for (int i = 0; i < 50; i++)
        free(early[i]);
    printf("ok\n");
    return 0;
}
