/* Values are asked for and set in a signal handler, while the thread does the same. */
#include "keys.h"

static pthread_key_t key, other;
static volatile sig_atomic_t handled;

static void handles(int signal)
{
    (void)signal;
    if (pthread_getspecific(key) != &key || pthread_setspecific(other, &handled) != 0)
        _exit(3);
    handled++;
}

int main(void)
{
    CHECK(pthread_key_create(&key, NULL) == 0 && pthread_key_create(&other, NULL) == 0);
    CHECK(pthread_setspecific(key, &key) == 0);
    signal(SIGALRM, handles);
    struct { struct { long s, u; } interval, value; } timer = {{0, 200}, {0, 200}};
    CHECK(syscall(SYS_setitimer, 0, &timer, NULL) == 0);
    while (handled < 500) {
        pthread_key_t passing;
        CHECK(pthread_getspecific(key) == &key);
        CHECK(pthread_key_create(&passing, NULL) == 0 && pthread_setspecific(passing, &key) == 0);
        CHECK(pthread_key_delete(passing) == 0);
    }
    memset(&timer, 0, sizeof timer);
    CHECK(syscall(SYS_setitimer, 0, &timer, NULL) == 0);
    puts("ok");
    return 0;
}
