/*
 * A thread keeps its descriptor in thread-specific data; the key's destructor closes it as the thread ends.
 * The hook runs while the thread is being taken down: silent, and the close is its own.
 */
#include "../test.h"

static pthread_key_t key;
static int closed;

static void destructor(void *value)
{
    int fd = (int)(long)value;
    CHECK(close(fd) == 0);
    closed++;
}

static void *thread(void *arg)
{
    CHECK(pthread_setspecific(key, (void *)(long)AT(100, tcp())) == 0);
    return arg;
}

int main(void)
{
    CHECK(pthread_key_create(&key, destructor) == 0);
    for (int i = 0; i < 10; i++)
        IN_THREAD(thread, NULL);
    CHECK(closed == 10);
    printf("ok\n");
    return 0;
}
