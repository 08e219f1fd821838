/* Thousands of threads with a value each; every destructor runs once. */
#include "keys.h"

static pthread_key_t keys[40];
static int ended;

static void ends(void *value)
{
    CHECK(value != NULL);
    __atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
}

static void *lives(void *argument)
{
    for (int i = 0; i < 40; i++)
        CHECK(pthread_setspecific(keys[i], argument) == 0);
    return NULL;
}

int main(void)
{
    for (int i = 0; i < 40; i++)
        CHECK(pthread_key_create(&keys[i], ends) == 0);
    for (int i = 0; i < 2000; i++)
        IN_THREAD(lives, &ended);
    printf("%d destructors\n", ended);
    puts("ok");
    return 0;
}
