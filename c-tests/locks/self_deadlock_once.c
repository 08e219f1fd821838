/* The routine of a once control asks for itself. */
#include "../test.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int runs;

static void routine(void)
{
    runs++;
#ifndef CLEAN
    CHECK(pthread_once(&once, routine) == EDEADLK); /* here */
#endif
}

int main(void)
{
    alarm(1);
    CHECK(pthread_once(&once, routine) == 0); /* locked */
    CHECK(pthread_once(&once, routine) == 0);
    CHECK(runs == 1);
    puts("ok");
    return 0;
}
