/* A child of vfork uses and creates keys: it shares our memory, and is not watched. */
#include "keys.h"

static pthread_key_t key;

int main(void)
{
    CHECK(pthread_key_create(&key, NULL) == 0);
    pid_t child = vfork();
    CHECK(child >= 0);
    if (child == 0) {
        int wrong = pthread_setspecific(key, &key) != 0 || pthread_getspecific(key) != &key;
        pthread_setspecific(key + 100, &key);
        _exit(wrong);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(pthread_setspecific(key, NULL) == 0);
    puts("ok");
    return 0;
}
