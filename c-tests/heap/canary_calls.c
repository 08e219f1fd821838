/*
 * Every call of the family with redzones: contents, zeroes, sizes and errors are those that it promises; blocks of a forked
 * and of a vfork child, and of threads that end, find their way back to the allocator.
 */
#include "poke.h"

static char *from_thread, *from_child;

static void *leave_a_block(void *given)
{
    free(given);
    from_thread = FILLED(77);
    return NULL;
}

static pthread_key_t key;
/* The value that is left after the last round. */
static char *kept;

static void late(void *block)
{
    static __thread int rounds;
    free(block);
    if (++rounds < 8)
        pthread_setspecific(key, kept = malloc(20));
}

static void *with_key(void *unused)
{
    pthread_setspecific(key, malloc(10));
    return unused;
}

int main(void)
{
    for (size_t size = 0; size < 3000; size += 7) {
        char *block = calloc(size, 1);
        CHECK(block && malloc_usable_size(block) >= size);
        for (size_t i = 0; i < size; i++)
            CHECK(block[i] == 0);
        memset(block, 'c', malloc_usable_size(block));
        block = realloc(block, size + 100);
        CHECK(size == 0 || block[size - 1] == 'c');
        free(block);
    }
    free(NULL);
    CHECK(malloc_usable_size(NULL) == 0);
    void *out = (void *)16;
    CHECK(posix_memalign(&out, 3, 10) == EINVAL && out == (void *)16);
    errno = 0;
    free(FILLED(10));
    CHECK(errno == 0);
    char *line = NULL;
    size_t room = 0;
    FILE *self = fopen("/proc/self/stat", "r");
    CHECK(self && getline(&line, &room, self) > 0);
    free(line);
    fclose(self);

    for (int i = 0; i < 50; i++) {
        IN_THREAD(leave_a_block, FILLED(66));
        free(from_thread);
    }
    CHECK(pthread_key_create(&key, late) == 0);
    for (int i = 0; i < 10; i++) {
        IN_THREAD(with_key, NULL);
        free(kept);
    }

    for (int i = 0; i < 20; i++) {
        char *before = FILLED(90);
        pid_t child = vfork();
        if (child == 0) {
            from_child = realloc(malloc(80), 200);
            free(before);
            _exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        free(from_child);

        before = FILLED(120);
        child = fork();
        if (child == 0) {
            CHECK(peek(before, 119) == 'x');
            before = realloc(before, 9000);
            free(before);
            free(FILLED(20));
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        free(before);
    }
    printf("ok\n");
    return 0;
}
