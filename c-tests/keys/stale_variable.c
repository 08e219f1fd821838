/* Two variables of one program: the first key was deleted, the second got its number, the first is used. */
#include "keys.h"

static pthread_key_t first, second;

static void *take_first(void)
{
    return CALLED(pthread_getspecific(first)); /* here */
}

static void *take_second(void)
{
    return CALLED(pthread_getspecific(second));
}

int main(void)
{
    CHECK(pthread_key_create(&first, NULL) == 0); /* created */
    CHECK(take_first() == NULL);
    CHECK(pthread_key_delete(first) == 0);         /* deleted */
    CHECK(pthread_key_create(&second, NULL) == 0); /* victim */
    CHECK(first == second);
    CHECK(pthread_setspecific(second, &second) == 0);
    CHECK(take_second() == &second);
#ifndef CLEAN
    CHECK(take_first() == &second);
#endif
    CHECK(take_second() == &second);
    puts("ok");
    return 0;
}
