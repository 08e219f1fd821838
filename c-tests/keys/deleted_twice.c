/* A key is deleted by two threads. */
#include "keys.h"

static pthread_key_t key;

static void *ends(void *argument)
{
    CHECK(CALLED(pthread_key_delete(key)) == 0); /* deleted */
    return argument;
}

int main(void)
{
    CHECK(pthread_key_create(&key, NULL) == 0);
    IN_THREAD(ends, NULL);
#ifdef CLEAN
    CHECK(pthread_key_create(&key, NULL) == 0);
    CHECK(pthread_key_delete(key) == 0);
#else
    CHECK(pthread_key_delete(key) == EINVAL); /* here */
#endif
    puts("ok");
    return 0;
}
