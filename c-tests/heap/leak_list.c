/*
 * A list whose head is lost: one block definitely, four indirectly, told as one.
 */
#include "../lost.h"

NOINLINE static struct node *list(void)
{
    struct node *head = NULL;
    for (int i = 0; i < 5; i++)
        head = node(head, NULL);
    return head;
}

NOINLINE static void lose(void)
{
    struct node *head = HIDDEN(list());
#ifdef CLEAN
    while (head) {
        struct node *next = head->next;
        free(head);
        head = next;
    }
#endif
    (void)head;
}

int main(void)
{
    lose();
    scrub();
    printf("ok\n");
    return 0;
}
