/* Keys are created and never deleted, until there are no more. */
#include "keys.h"

static int create_many(int count)
{
    for (int i = 0; i < count; i++) {
        pthread_key_t key;
        int result = pthread_key_create(&key, NULL); /* here, created */
        if (result != 0) {
            CHECK(result == EAGAIN);
            return i;
        }
    }
    return count;
}

int main(void)
{
#ifdef CLEAN
    CHECK(create_many(800) == 800);
#else
    CHECK(create_many(2000) > 1000);
#endif
    puts("ok");
    return 0;
}
