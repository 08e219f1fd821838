/* A number that can be no key: a pthread_key_t of a structure that was filled with ones. */
#include "keys.h"

static pthread_key_t key = -1;

int main(void)
{
#ifdef CLEAN
    CHECK(pthread_key_create(&key, NULL) == 0);
    CHECK(pthread_setspecific(key, NULL) == 0 && pthread_getspecific(key) == NULL && pthread_key_delete(key) == 0);
#else
    CHECK(CALLED(pthread_setspecific(key, &key)) == EINVAL);
    CHECK(CALLED(pthread_getspecific(key)) == NULL);
    CHECK(CALLED(pthread_key_delete(key)) == EINVAL);
#endif
    puts("ok");
    return 0;
}
