/*
 * After fork each has its own: the child's writes are not the parent's, nor the other way round; both allocate and free on, the child's
 * child too; while other threads of the parent are inside of the tier.
 */
#include "tiers.h"

APART static void *wanted(size_t size) { return opaque(malloc(size)); }
static volatile int stop;

static void *busy(void *unused)
{
    (void)unused;
    for (unsigned i = 0; !stop; i++) {
        char *block = wanted(100 + i % 5000 * 7);
        *block = 1;
        free(block);
    }
    return NULL;
}

static void wait_for(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void child(char *small, char *large, int depth)
{
    CHECK(small[0] == 'p' && large[3 << 20] == 'p');
    memset(small, 'c', 2000);
    memset(large, 'c', 4 << 20);
    char *own = wanted(3000);
    memset(own, 'o', 3000);
    small = realloc(small, 50000);
    CHECK(small && small[1999] == 'c');
    if (depth) {
        memset(small, 'p', 50000);
        memset(large, 'p', 4 << 20);
        pid_t next = fork();
        CHECK(next >= 0);
        if (!next)
            child(small, large, depth - 1);
        wait_for(next);
        CHECK(small[0] == 'p' && large[3 << 20] == 'p');
    }
    CHECK(own[2999] == 'o');
    free(own);
    free(small);
    free(large);
    void *after = wanted(5 << 20);
    CHECK(after);
    free(after);
    _exit(0);
}

int main(void)
{
    pthread_t threads[2];
    char *small = wanted(2000), *large = wanted(4 << 20);
    PLACED(small);
    PLACED(large);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, busy, NULL) == 0);
    for (int round = 0; round < 20; round++) {
        memset(small, 'p', 2000);
        memset(large, 'p', 4 << 20);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid)
            child(small, large, round % 3);
        memset(small, 'x', 2000);
        memset(large, 'x', 4 << 20);
        void *own = wanted(100000);
        PLACED(own);
        free(own);
        wait_for(pid);
        CHECK(small[1] == 'x' && large[3 << 20] == 'x');
    }
    stop = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    free(small);
    free(large);
    printf("ok\n");
    return 0;
}
