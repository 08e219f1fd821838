/* A key variable that nobody has initialised holds a number that nobody was given. */
#include "../test.h"

static pthread_key_t key = 77;

static int put(void *value)
{
    int result = pthread_setspecific(key, value); /* here */
    return result;
}

int main(void)
{
#ifdef CLEAN
    CHECK(pthread_key_create(&key, NULL) == 0);
    CHECK(put(&key) == 0);
#else
    CHECK(put(&key) == EINVAL);
#endif
    puts("ok");
    return 0;
}
