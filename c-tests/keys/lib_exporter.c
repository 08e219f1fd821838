/* Exports the variable of its key. */
#include <pthread.h>

pthread_key_t exported_key;

__attribute__((constructor)) static void begin(void)
{
    pthread_key_create(&exported_key, NULL);
}
