/*
 * A plugin with much thread-local data: 64 KiB, made for a thread at its first use, by an allocation of the loader.
 */
#include <stdlib.h>
#include <string.h>

static __thread char large[65536];
__thread int exported;

int touch(int value)
{
    memset(large, value, sizeof large);
    exported += value;
    char *block = malloc(100);
    block[0] = large[65535];
    int result = block[0] + exported;
    free(block);
    return result;
}
