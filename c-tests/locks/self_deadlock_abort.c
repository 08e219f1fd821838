/* `locks=abort` ends the program where it would hang; natively its alarm does. */
#include "../test.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int main(void)
{
    alarm(1);
    pthread_mutex_lock(&lock); /* locked */
#ifndef CLEAN
    pthread_mutex_lock(&lock); /* here */
#endif
    puts("ok");
    return 0;
}
