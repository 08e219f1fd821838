/* The object of chain.h is freed once more. */
#include "chain.h"

int main(void)
{
    struct object *object = make();
    CHECK(object);
    fail_and_destroy(object);
#ifndef CLEAN
    release(object); /* again */
#endif
    puts("ok");
    return 0;
}
