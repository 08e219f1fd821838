/*
 * Four threads allocate, fill, resize, hand over and free blocks of all sizes, in tiers and beside them: nobody overwrites anybody's,
 * whoever frees.
 */
#include "tiers.h"

#define SLOTS 400
#define ROUNDS 15000

struct slot {
    unsigned char *block;
    size_t size;
    unsigned char mark;
};

static struct slot slots[SLOTS];
static pthread_mutex_t locks[SLOTS];

APART static void *take(size_t size) { return opaque(malloc(size)); }

static unsigned next(unsigned *seed) { return *seed = *seed * 1103515245u + 12345u, *seed >> 8; }

static size_t any_size(unsigned *seed)
{
    unsigned kind = next(seed) % 100;
    if (kind < 60)
        return 1 + next(seed) % 1000;
    if (kind < 95)
        return 1 + next(seed) % 20000;
    return 1 + next(seed) % 300000;
}

static void check(const struct slot *slot)
{
    for (size_t i = 0; i < slot->size; i += 61)
        CHECK(slot->block[i] == slot->mark);
    CHECK(!slot->size || slot->block[slot->size - 1] == slot->mark);
}

static void *work(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned at = next(&seed) % SLOTS;
        struct slot *slot = &slots[at];
        pthread_mutex_lock(&locks[at]);
        size_t size = any_size(&seed);
        if (!slot->block) {
            slot->block = next(&seed) % 4 ? take(size) : opaque(calloc(1, size));
        } else if (next(&seed) % 3 == 0) {
            check(slot);
            size_t kept = slot->size < size ? slot->size : size;
            slot->block = opaque(realloc(slot->block, size));
            CHECK(slot->block);
            slot->size = kept;
            check(slot);
        } else {
            check(slot);
            free(slot->block);
            slot->block = NULL;
            size = 0;
        }
        slot->size = size;
        slot->mark = (unsigned char)next(&seed);
        if (size) {
            CHECK(slot->block);
            memset(slot->block, slot->mark, size);
        }
        pthread_mutex_unlock(&locks[at]);
    }
    return NULL;
}

int main(void)
{
    NEEDS_HUGE_PAGES();
    pthread_t threads[4];
    for (int i = 0; i < SLOTS; i++)
        pthread_mutex_init(&locks[i], NULL);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1)) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].block)
            check(&slots[i]);
        free(slots[i].block);
    }
    printf("ok\n");
    return 0;
}
