/* Destructors that set their value again run four times, and those of other keys too. */
#include "keys.h"

static pthread_key_t first, second;
static int firsts, seconds;

static void again(void *value)
{
    firsts++;
    CHECK(pthread_setspecific(first, value) == 0);
    CHECK(pthread_setspecific(second, value) == 0);
}

static void counts(void *value)
{
    CHECK(value != NULL && pthread_getspecific(second) == NULL);
    seconds++;
}

static void *lives(void *argument)
{
    CHECK(pthread_setspecific(first, &firsts) == 0);
    return argument;
}

int main(void)
{
    CHECK(pthread_key_create(&first, again) == 0 && pthread_key_create(&second, counts) == 0);
    IN_THREAD(lives, NULL);
    printf("%d and %d\n", firsts, seconds);
    puts("ok");
    return 0;
}
