/*
 * What is still reachable, and what only a pointer into it leads to, is information: a program may keep what it likes. A chain
 * that hangs on a pointer into its first block is possible as a whole.
 */
#include "../lost.h"

void *reachable, *inside;

NOINLINE static void keep(void)
{
    reachable = node(node(NULL, NULL), NULL);
    inside = &node(node(NULL, NULL), NULL)->number[1];
}

int main(void)
{
    keep();
    scrub();
    printf("ok\n");
    return 0;
}
