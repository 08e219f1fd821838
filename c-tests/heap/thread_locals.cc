/*
 * Destructors of thread-local objects, of static ones, and of keys, at the ends of threads and of the process, free what was
 * allocated long before, and allocate: none of it is a fault, and none is missed by the totals of blocks that live on.
 */
#include "heap.h"
#include <string>
#include <vector>

struct Holder {
    std::vector<std::string> words;
    ~Holder()
    {
        words.push_back(std::string(200, 'y'));
        words.clear();
        free(filled(100));
    }
};

static thread_local Holder local;
static Holder global;
static pthread_key_t key;

/* Four rounds: we end among them. */
static void destroyed(void *value)
{
    char *block = static_cast<char *>(value);
    long round = block[0];
    free(block);
    if (round < 4) {
        char *next = filled(100);
        next[0] = static_cast<char>(round + 1);
        pthread_setspecific(key, next);
    }
}

static void *work(void *nothing)
{
    for (int i = 0; i < 50; i++)
        local.words.push_back(std::string(100, 'x'));
    char *first = filled(50);
    first[0] = 1;
    pthread_setspecific(key, first);
    return nothing;
}

static void at_exit()
{
    free(filled(77));
}

int main()
{
    CHECK(pthread_key_create(&key, destroyed) == 0);
    atexit(at_exit);
    for (int i = 0; i < 50; i++)
        IN_THREAD(work, NULL);
    for (int i = 0; i < 50; i++) {
        global.words.push_back(std::string(100, 'z'));
        local.words.push_back(std::string(100, 'z'));
    }
    printf("ok\n");
    return 0;
}
