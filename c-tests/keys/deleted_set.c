/* A value for a key that was deleted. */
#include "keys.h"

static pthread_key_t key;

static void end(void)
{
    CHECK(pthread_key_delete(key) == 0); /* deleted */
}

int main(void)
{
    CHECK(pthread_key_create(&key, NULL) == 0); /* created */
#ifdef CLEAN
    CHECK(pthread_setspecific(key, NULL) == 0);
    end();
#else
    end();
    CHECK(pthread_setspecific(key, &key) == EINVAL); /* here */
#endif
    puts("ok");
    return 0;
}
