/*
 * An array of pointers that grows by realloc, a thousand times: what it holds is reachable. One element that is overwritten is
 * lost.
 */
#include "../lost.h"

struct node **array;

NOINLINE static void fill(void)
{
    for (size_t i = 0; i < 1000; i++) {
        array = HIDDEN(realloc(array, (i + 1) * sizeof *array));
        array[i] = node(NULL, NULL);
    }
    LOSE(array[500]);
    array[500] = NULL;
}

int main(void)
{
    fill();
    scrub();
    printf("ok\n");
    return 0;
}
