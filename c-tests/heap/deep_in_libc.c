/*
 * libc allocates from deep within itself, then the thread's function from the very top of its stack, beyond which nothing may be
 * read: what was learned of the first stack must not be looked for above the second.
 */
#include "../test.h"
#include <regex.h>
#include <sys/mman.h>

#define STACK (512 << 10)

static void *work(void *nothing)
{
    char pattern[1024];
    for (int i = 0; i < 40; i++) {
        regex_t expression;
        int depth = 1 + i % 20;
        memset(pattern, '(', depth);
        pattern[depth] = 'a';
        memset(pattern + depth + 1, ')', depth);
        pattern[2 * depth + 1] = 0;
        CHECK(regcomp(&expression, pattern, REG_EXTENDED) == 0);
        free(malloc(100 + i));
        regfree(&expression);
        free(malloc(200 + i));
    }
    return nothing;
}

int main(void)
{
    char *stack = mmap(NULL, STACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(stack != MAP_FAILED && mprotect(stack + STACK, 4096, PROT_NONE) == 0);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, stack, STACK) == 0);
    CHECK(pthread_create(&thread, &attributes, work, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    printf("ok\n");
    return 0;
}
