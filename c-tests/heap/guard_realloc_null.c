/*
 * realloc of nothing while many blocks lie on guard pages, at addresses of every hash: none of them is forgotten. free still
 * knows them, and so does malloc_usable_size.
 */
#include "poke.h"

#define BLOCKS 60

int main(void)
{
    unsigned seed = 417;
    for (int round = 0; round < (sizeof(size_t) == 8 ? 3000 : 1000); round++) {
        char *blocks[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            size_t size = (size_t)rand_r(&seed) % 16000 + 1;
            blocks[i] = malloc(size);
            CHECK(blocks[i] && malloc_usable_size(blocks[i]) >= size);
        }
        /* More than once: several of them may have one hash. */
        for (int i = 0; i < 4; i++)
            free(hidden(realloc(hidden(NULL), 24)));
        for (int i = 0; i < BLOCKS; i++)
            free(blocks[i]);
    }
    printf("ok\n");
    return 0;
}
