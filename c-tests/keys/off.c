/* keys=off: nothing is said. */
#include "keys.h"

static pthread_key_t key = 99;

int main(void)
{
    CHECK(CALLED(pthread_setspecific(key, &key)) == EINVAL);
    CHECK(CALLED(pthread_getspecific(key)) == NULL);
    CHECK(pthread_key_create(&key, free) == 0 && pthread_setspecific(key, malloc(9)) == 0);
    CHECK(pthread_key_delete(key) == 0);
    puts("ok");
    return 0;
}
