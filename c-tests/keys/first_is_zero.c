/* The first key of a program is 0, with shim as without. */
#include "keys.h"

int main(void)
{
    pthread_key_t keys[30];
    for (unsigned i = 0; i < 30; i++) {
        CHECK(pthread_key_create(&keys[i], NULL) == 0);
            printf("%u ", keys[i]);
    }
    puts("\nok");
    return 0;
}
