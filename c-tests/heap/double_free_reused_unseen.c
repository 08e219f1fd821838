/*
 * As double_free_reused, but the owner never frees: without a quarantine this cannot be seen, for the address belongs to a live block.
 */
#include "heap.h"

int main(void)
{
    char *stale = filled(40);
    free(stale);
    static char *volatile owned;
    owned = filled(40);
    CHECK(owned == stale || getenv("SHIM_OPTIONS"));
#ifndef CLEAN
    free(opaque(stale));
#endif
#ifdef CLEAN
    free(owned);
#endif
    printf("ok\n");
    return 0;
}
