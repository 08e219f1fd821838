/*
 * A tree of fifteen nodes whose root is forgotten.
 */
#include "../lost.h"

NOINLINE static struct node *tree(int depth)
{
    return depth ? node(tree(depth - 1), tree(depth - 1)) : NULL;
}

#ifdef CLEAN
static void fell(struct node *root)
{
    if (root) {
        fell(root->next);
        fell(root->other);
        free(root);
    }
}
#endif

NOINLINE static void lose(void)
{
    struct node *root = HIDDEN(tree(4));
#ifdef CLEAN
    fell(root);
#endif
    (void)root;
}

int main(void)
{
    lose();
    scrub();
    printf("ok\n");
    return 0;
}
