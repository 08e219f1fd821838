/*
 * Two blocks that point at each other, and one that points at itself: of the ring one is definitely lost, the other indirectly.
 */
#include "../lost.h"

NOINLINE static void lose(void)
{
    struct node *one = node(NULL, NULL), *two = node(one, NULL);
    one->next = two;
    struct node *self = node(NULL, NULL);
    self->other = self;
    LOSE(one);
    LOSE(two);
    LOSE(self);
}

int main(void)
{
    lose();
    scrub();
    printf("ok\n");
    return 0;
}
