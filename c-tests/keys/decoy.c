/* A key that was never created is 0, and so is nobody's, where the first key is held back. */
#include "keys.h"

static pthread_key_t program_key, forgotten;

int main(void)
{
    CHECK(pthread_key_create(&program_key, NULL) == 0);
    CHECK(pthread_setspecific(program_key, &program_key) == 0);
#ifdef CLEAN
    CHECK(pthread_key_create(&forgotten, NULL) == 0);
#endif
    int result = pthread_setspecific(forgotten, &forgotten); /* here */
    printf("%s\n", pthread_getspecific(program_key) == &program_key ? "kept" : "overwritten");
    (void)result;
    puts("ok");
    return 0;
}
