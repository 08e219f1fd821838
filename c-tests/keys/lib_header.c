/* Uses the variable that lib_exporter exports, as code in its header would. */
#include <pthread.h>

extern pthread_key_t exported_key __attribute__((weak));

int header_set(void *value)
{
    int result = pthread_setspecific(exported_key, value);
    __asm__ volatile("" ::: "memory");
    return result;
}

void *header_get(void)
{
    void *value = pthread_getspecific(exported_key);
    __asm__ volatile("" ::: "memory");
    return value;
}
