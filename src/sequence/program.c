/*
 * Plays a sequence of calls: `program SEQUENCE`, three bytes per step: what, and the places it is about.
 *
 * Each step is made through a function of its own, step_0, step_1, …, so that a stack says which step it was. What a call answers is
 * printed at the end: `STEP RESULT ERRNO`, a line per step. Numbers of descriptors are shown, addresses are not.
 * model.rs says what each step does; `-` does nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACES 8
#define NOINLINE __attribute__((noinline, noclone))

/* operator new and delete of libstdc++. */
extern void *_Znwm(size_t);
extern void _ZdlPv(void *);

static const char *sequence;
static int fds[PLACES] = {-1, -1, -1, -1, -1, -1, -1, -1};
static char *blocks[PLACES];
static char is_freed[PLACES];
static pthread_key_t keys[PLACES] = {900, 901, 902, 903, 904, 905, 906, 907};
static pthread_mutex_t mutexes[PLACES];
static pthread_rwlock_t rwlocks[PLACES];
static char text[8192];
static size_t length;

/* Nothing that a call left on the stack, or in a register, shall keep a block alive. */
NOINLINE static void scrub(void)
{
    volatile char stack[16384];
    for (size_t i = 0; i < sizeof stack; i++)
        stack[i] = 0;
#ifdef __x86_64__
    __asm__ volatile("xor %%eax, %%eax; xor %%ecx, %%ecx; xor %%edx, %%edx; xor %%esi, %%esi; xor %%edi, %%edi; xor %%r8, %%r8;"
                     "xor %%r9, %%r9; xor %%r10, %%r10; xor %%r11, %%r11; xor %%ebx, %%ebx; xor %%r12, %%r12; xor %%r13, %%r13;"
                     "xor %%r14, %%r14; xor %%r15, %%r15"
                     :
                     :
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "rbx", "r12", "r13", "r14", "r15", "cc");
#endif
}

static int new_mutex(int place)
{
    static const int kinds[PLACES] = {PTHREAD_MUTEX_NORMAL,     PTHREAD_MUTEX_NORMAL,    PTHREAD_MUTEX_ERRORCHECK,
                                      PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_RECURSIVE,
                                      PTHREAD_MUTEX_NORMAL,     PTHREAD_MUTEX_ERRORCHECK};
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, kinds[place]);
    return pthread_mutex_init(&mutexes[place], &attributes);
}

static long made(int place, char *block, size_t size)
{
    if (block)
        memset(block, 'x', size);
    blocks[place] = block;
    is_freed[place] = 0;
    return block != NULL;
}

/* The block, to be freed. What stays behind is no pointer: the address may be another block's soon, which it must not keep. */
static void *taken(int place)
{
    uintptr_t block = (uintptr_t)blocks[place];
    if (is_freed[place])
        return (void *)~block;
    if (block) {
        blocks[place] = (char *)~block;
        is_freed[place] = 1;
    }
    return (void *)block;
}

/* Calls that return an error number. */
#define ANSWERS(call) ((errno = 0), (result = (call)))

NOINLINE static void play(int step)
{
    const char *code = sequence + 3 * step;
    int a = code[1] - '0', b = code[2] - '0', two[2];
    long result = 0;
    size_t size = (size_t)24 << (2 * b);
    errno = 0;
    switch (code[0]) {
    case '-': break;
    /* Descriptors. */
    case 'N': result = fds[a] = open("/dev/null", O_RDWR); break;
    case 'S': result = fds[a] = socket(AF_UNIX, SOCK_DGRAM, 0); break;
    case 'P':
        result = pipe(two);
        fds[a] = two[0];
        fds[b] = two[1];
        break;
    case 'c': result = close(fds[a]); break;
    case 'd': result = fds[b] = dup(fds[a]); break;
    case 'D': result = fds[b] = fcntl(fds[a], F_DUPFD, 20); break;
    case '2': result = dup2(fds[a], fds[b]); break;
    case 's': result = lseek(fds[a], 0, SEEK_CUR); break;
    case 'f': result = fcntl(fds[a], F_GETFD); break;
    /* Blocks. */
    case 'm': result = made(a, malloc(size), size); break;
    case 'n': result = made(a, _Znwm(size), size); break;
    case 'z': result = made(a, calloc(3, size), size); break;
    case 'r': result = made(a, realloc(blocks[a], size), size); break;
    case 'x': free(taken(a)); break;
    case 'k': _ZdlPv(taken(a)); break;
    case 'i': free(blocks[a] + 16); break;
    case 'l': blocks[a] = NULL; break;
    /* Keys. */
    case 'K': ANSWERS(pthread_key_create(&keys[a], NULL)); break;
    case 'X': ANSWERS(pthread_key_delete(keys[a])); break;
    case 'T': ANSWERS(pthread_setspecific(keys[a], (void *)(long)(b + 1))); break;
    case 'G': result = (long)pthread_getspecific(keys[a]); break;
    /* Locks. */
    case 'I': ANSWERS(new_mutex(a)); break;
    case 'L': ANSWERS(pthread_mutex_lock(&mutexes[a])); break;
    case 't': ANSWERS(pthread_mutex_trylock(&mutexes[a])); break;
    case 'U': ANSWERS(pthread_mutex_unlock(&mutexes[a])); break;
    case 'Z': ANSWERS(pthread_mutex_destroy(&mutexes[a])); break;
    case 'J': ANSWERS(pthread_rwlock_init(&rwlocks[a], NULL)); break;
    case 'R': ANSWERS(pthread_rwlock_rdlock(&rwlocks[a])); break;
    case 'W': ANSWERS(pthread_rwlock_wrlock(&rwlocks[a])); break;
    case 'V': ANSWERS(pthread_rwlock_unlock(&rwlocks[a])); break;
    case 'Q': ANSWERS(pthread_rwlock_destroy(&rwlocks[a])); break;
    /* Of all families: a child that ends at once. */
    case 'F': {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        int status = -1;
        result = waitpid(child, &status, 0) == child ? status : -1;
        break;
    }
    default: result = -99; break;
    }
    length += (size_t)snprintf(text + length, sizeof text - length, "%d %ld %d\n", step, result, errno);
}

#define STEP(n) \
    NOINLINE static void step_##n(void) \
    { \
        play(n); \
        __asm__ volatile(""); \
    }
#define TEN(n) STEP(n##0) STEP(n##1) STEP(n##2) STEP(n##3) STEP(n##4) STEP(n##5) STEP(n##6) STEP(n##7) STEP(n##8) STEP(n##9)
STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9)
TEN(1) TEN(2) TEN(3)

#define OF_TEN(n) \
    step_##n##0, step_##n##1, step_##n##2, step_##n##3, step_##n##4, step_##n##5, step_##n##6, step_##n##7, step_##n##8, step_##n##9
static void (*const steps[])(void) = {
    step_0, step_1, step_2, step_3, step_4, step_5, step_6, step_7, step_8, step_9, OF_TEN(1), OF_TEN(2), OF_TEN(3),
};

int main(int count, char **arguments)
{
    if (count != 2 || strlen(arguments[1]) > 3 * sizeof steps / sizeof *steps)
        return 2;
    sequence = arguments[1];
    for (size_t i = 0; i < strlen(sequence) / 3; i++)
        steps[i]();
    fputs(text, stdout);
    fflush(stdout);
    scrub();
    return 0;
}
