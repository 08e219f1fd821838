/*
 * A list that keeps the difference of its neighbours' addresses: nobody who looks for pointers can follow it. Lost, as
 * memcheck has it, too, although the program could find it again; the clean twin frees it.
 */
#include "../lost.h"

unsigned long first;

NOINLINE static void keep(void)
{
    struct node *one = node(NULL, NULL);
    first = (unsigned long)one ^ 0xa5a5a5a5a5a5a5a5;
#ifdef CLEAN
    free((void *)(first ^ 0xa5a5a5a5a5a5a5a5));
#endif
}

int main(void)
{
    keep();
    scrub();
    printf("ok\n");
    return 0;
}
