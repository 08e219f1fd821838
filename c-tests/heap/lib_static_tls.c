/*
 * A plugin whose thread-local data lies in the static area, of which a loader keeps a little for late comers.
 */
#include <stdlib.h>

static __thread char small[128] __attribute__((tls_model("initial-exec")));

int touch(int value)
{
    small[127] = (char)value;
    char *block = malloc(100);
    block[0] = small[127];
    int result = block[0];
    free(block);
    return result;
}
