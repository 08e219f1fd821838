/* A key that nobody has created cannot be deleted. */
#include "keys.h"

static pthread_key_t key = 77;

int main(void)
{
    int expected = EINVAL;
#ifdef CLEAN
    CHECK(pthread_key_create(&key, NULL) == 0);
    expected = 0;
#endif
    CHECK(CALLED(pthread_key_delete(key)) == expected); /* here */
    puts("ok");
    return 0;
}
