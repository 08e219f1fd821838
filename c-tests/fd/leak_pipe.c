/*
 * Twenty pipes, both ends forgotten: forty descriptors of one place.
 */
#include "../leak.h"

static void once(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0); /* opened */
    FORGET(ends[0]);
    FORGET(ends[1]);
}

int main(void)
{
    for (int i = 0; i < 20; i++)
        once();
    printf("ok\n");
    return 0;
}
