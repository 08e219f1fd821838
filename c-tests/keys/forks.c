/* A child inherits the keys and their values, and deletes them: that is nothing to the parent. */
#include "keys.h"

static pthread_key_t key, late;

int main(void)
{
    CHECK(pthread_key_create(&key, NULL) == 0);
    CHECK(pthread_setspecific(key, &key) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(pthread_getspecific(key) == &key);
        CHECK(pthread_key_delete(key) == 0);
        CHECK(pthread_key_create(&late, NULL) == 0);
        CHECK(pthread_setspecific(late, &late) == 0);
        _exit(0);
    }
    CHECK(pthread_key_create(&late, NULL) == 0);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(pthread_getspecific(key) == &key);
    CHECK(pthread_setspecific(key, NULL) == 0 && pthread_key_delete(key) == 0 && pthread_key_delete(late) == 0);
    puts("ok");
    return 0;
}
