/*
 * Writes before the start of a block: one byte, eight, and one 64 bytes away. Without redzones it is a
 * block that nobody uses that is hit; the eight bytes before a block are glibc's, which it looks at.
 */
#include "poke.h"

#ifdef CLEAN
#define BEFORE(at) ((at) - 1)
#else
#define BEFORE(at) (-(at))
#endif

char *walls[3];

int main(void)
{
    walls[0] = FILLED(200);
    char *by_one = FILLED(64); /* allocated */
    poke(by_one, BEFORE(9), 0);
    free(by_one); /* here */

    walls[1] = FILLED(200);
    char *by_eight = FILLED(64); /* allocated */
    for (int i = 9; i <= 16; i++)
        poke(by_eight, BEFORE(i), 'y');
    free(by_eight); /* here */

    walls[2] = FILLED(200);
    char *far_off = FILLED(80); /* allocated */
    poke(far_off, BEFORE(64), 7);
    free(far_off); /* here */

    printf("ok\n");
    return 0;
}
