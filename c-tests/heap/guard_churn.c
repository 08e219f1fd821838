/*
 * Many blocks on guard pages, of every size and alignment, through every call, in threads that come and go and across forks.
 */
#include "poke.h"

static void *churn(void *number)
{
    unsigned seed = (unsigned)(uintptr_t)number;
    for (int i = 0; i < 3000; i++) {
        size_t size = (size_t)rand_r(&seed) % 20000 + 1;
        char *block = malloc(size);
        CHECK(block && (uintptr_t)block % 16 == 0);
        CHECK(malloc_usable_size(block) >= size);
        memset(block, 'x', malloc_usable_size(block));
        char *zeroed = calloc(3, size / 3 + 1);
        for (size_t at = 0; at < size / 3 * 3; at += 100)
            CHECK(zeroed[at] == 0);
        memset(zeroed, 'z', size / 3 * 3);
        free(zeroed);
        size_t other = (size_t)rand_r(&seed) % 9000;
        block = realloc(block, other + 1);
        CHECK(block && (block[0] == 'x') && block[other < size ? other : size - 1] == 'x');
        size_t align = (size_t)16 << rand_r(&seed) % 9;
        void *aligned = NULL;
        CHECK(posix_memalign(&aligned, align, size) == 0 && (uintptr_t)aligned % align == 0);
        memset(aligned, 'a', size);
        free(aligned);
        free(block);
        free(malloc(0));
    }
    return NULL;
}

static void *empty_life(void *block)
{
    free(block);
    return malloc(30);
}

int main(void)
{
    pthread_t threads[3];
    for (uintptr_t i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) == 0);
    for (int i = 0; i < 20; i++) {
        char *block = FILLED(50);
        void *made;
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, empty_life, FILLED(40)) == 0 && pthread_join(thread, &made) == 0);
        free(made);
        pid_t child = fork();
        if (child == 0) {
            CHECK(peek(block, 49) == 'x');
            free(block);
            for (int j = 0; j < 200; j++)
                free(FILLED(60));
            _exit(0);
        }
        int status;
        CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
        child = vfork();
        if (child == 0) {
            free(block);
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    errno = 0;
    void *out = (void *)16;
    CHECK(posix_memalign(&out, 2, 10) == EINVAL && out == (void *)16);
    CHECK(malloc(SIZE_MAX - 5) == NULL && calloc(SIZE_MAX / 2, 3) == NULL && errno == ENOMEM);
    printf("ok\n");
    return 0;
}
