/* An object deletes itself under its own lock. */
#include "../test.h"

struct Session {
    long data[6] = {};
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    void close()
    {
        pthread_mutex_lock(&lock); /* locked */
        data[0]++;
#ifdef CLEAN
        pthread_mutex_unlock(&lock);
#endif
        delete this; /* here */
    }
};

int main()
{
    (new Session)->close();
    puts("ok");
    return 0;
}
