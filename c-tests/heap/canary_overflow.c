/*
 * Writes behind the end of a block: one NUL, as strcpy does it, eight bytes, all 64 of the redzone, and one byte 33 bytes behind.
 * Each is noticed at the free, which is not to blame.
 * Without redzones it is a block that nobody uses that is hit.
 */
#include "poke.h"

#ifdef CLEAN
#define BEHIND(size, at) ((size) - 1 - (at))
#else
#define BEHIND(size, at) ((size) + (at))
#endif

char *walls[4];

int main(void)
{
    char *by_nul = FILLED(40); /* allocated */
    walls[0] = FILLED(200);
    poke(by_nul, BEHIND(40, 0), 0);
    free(by_nul); /* here */

    char *by_eight = FILLED(24); /* allocated */
    walls[1] = FILLED(200);
    for (int i = 0; i < 8; i++)
        poke(by_eight, BEHIND(24, i), 'y');
    free(by_eight); /* here */

    char *by_all = FILLED(100); /* allocated */
    walls[2] = FILLED(200);
    for (int i = 0; i < 64; i++)
        poke(by_all, BEHIND(100, i), (char)0xff);
    free(by_all); /* here */

    char *far_off = FILLED(57); /* allocated */
    walls[3] = FILLED(200);
    poke(far_off, BEHIND(57, 33), 1);
    free(far_off); /* here */

    printf("ok\n");
    return 0;
}
