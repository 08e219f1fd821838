/*
 * A thread asks for its own bounds before anything else, as a JVM's does: inside, libc allocates with the thread's lock held.
 * Then it uses descriptors.
 */
#include "../test.h"

static void *worker(void *unused)
{
    (void)unused;
    pthread_attr_t attribute;
    void *low;
    size_t size;
    CHECK(pthread_getattr_np(pthread_self(), &attribute) == 0);
    CHECK(pthread_attr_getstack(&attribute, &low, &size) == 0);
    CHECK((char *)&low > (char *)low && (char *)&low < (char *)low + size);
    CHECK(pthread_attr_destroy(&attribute) == 0);
    int fd = open_null();
    CHECK(fd >= 0 && close(fd) == 0);
    return NULL;
}

int main(void)
{
    for (int i = 0; i < 3; i++)
        IN_THREAD(worker, NULL);
    printf("ok\n");
    return 0;
}
