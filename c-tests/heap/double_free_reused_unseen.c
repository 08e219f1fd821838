/*
 * As double_free_reused, but the owner never frees: without a quarantine this cannot be seen, for the address belongs to a live block.
 */
#include "heap.h"

int main(void)
{
    char *stale = filled(40);
    free(stale);
    char *owned = filled(40);
    CHECK(owned == stale || getenv("SHIM_OPTIONS"));
    free(opaque(stale));
    (void)owned;
    printf("ok\n");
    return 0;
}
