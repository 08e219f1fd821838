/*
 * For tests of lost blocks: KEPT hides a pointer from the compiler, scrub() overwrites what calls have left on the stack, LOSE
 * forgets a block or, in the clean twin, frees it.
 */
#ifndef LOST_H
#define LOST_H

#include "test.h"

/* The compiler does not know what it is, and cannot leave out the allocation. */
#define HIDDEN(pointer)                                                                                                \
    ({                                                                                                                 \
        void *hidden_ = (pointer);                                                                                     \
        CHECK(hidden_ != NULL);                                                                                        \
        __asm__ volatile("" : "+r"(hidden_) : : "memory");                                                             \
        hidden_;                                                                                                       \
    })

#ifdef CLEAN
#define LOSE(pointer) free(pointer)
#else
#define LOSE(pointer) ((void)(pointer))
#endif

#define NOINLINE __attribute__((noinline, noclone))

/* Returns with the stack below it, and the registers that a call may change, empty. */
__attribute__((unused)) NOINLINE static void scrub(void)
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
#elif defined __i386__
    __asm__ volatile("xor %%eax, %%eax; xor %%ecx, %%ecx; xor %%edx, %%edx; xor %%ebx, %%ebx; xor %%esi, %%esi; xor %%edi, %%edi"
                     :
                     :
                     : "eax", "ecx", "edx", "ebx", "esi", "edi", "cc");
#endif
}

struct node {
    struct node *next, *other;
    long number[4];
};

static inline struct node *node(struct node *next, struct node *other)
{
    struct node *made = HIDDEN(calloc(1, sizeof *made)); /* allocated */
    made->next = next;
    made->other = other;
    return made;
}

#endif
