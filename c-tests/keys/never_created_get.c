/* As never_created_set: libc answers NULL, and does not say why. */
#include "keys.h"

static pthread_key_t key = 77;

int main(void)
{
#ifdef CLEAN
    CHECK(pthread_key_create(&key, NULL) == 0);
#endif
    CHECK(CALLED(pthread_getspecific(key)) == NULL); /* here */
    puts("ok");
    return 0;
}
