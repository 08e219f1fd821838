/* What a forked child does wrong is told of the child. */
#include "keys.h"

static pthread_key_t key;

int main(void)
{
    CHECK(pthread_key_create(&key, NULL) == 0); /* created */
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(pthread_key_delete(key) == 0); /* deleted */
#ifndef CLEAN
        CHECK(pthread_setspecific(key, &key) == EINVAL); /* here */
#endif
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(pthread_setspecific(key, NULL) == 0);
    puts("ok");
    return 0;
}
