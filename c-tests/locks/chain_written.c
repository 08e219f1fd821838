/* The object of chain.h is written to. */
#include "chain.h"

int main(void)
{
    struct object *object = make();
    CHECK(object);
    fail_and_destroy(object);
#ifndef CLEAN
    *(volatile long *)&object->number = 7;
#endif
    puts("ok");
    return 0;
}
