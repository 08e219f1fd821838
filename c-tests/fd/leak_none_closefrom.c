/*
 * closefrom ends all that it covers.
 */
#include "../leak.h"

int main(void)
{
    for (int i = 0; i < 40; i++)
        CHECK(tcp() >= 3);
    closefrom(3);
    printf("ok\n");
    return 0;
}
