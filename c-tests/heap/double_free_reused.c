/*
 * A stale pointer: its block was freed, the address given to somebody else, whose block the second free takes away. At that
 * moment nothing can be said, the entry is live; the owner's own free is the double one then, and the finding shows all
 * three: the stale one is "freed". With a quarantine the address is not given out so soon, and the stale free is told itself.
 */
#include "heap.h"

int main(void)
{
    char *stale = filled(40);
    free(stale);
    char *owned = filled(40); /* allocated */
#ifndef CLEAN
    free(opaque(stale)); /* freed */
#endif
    free(owned); /* here */
    printf("ok\n");
    return 0;
}
