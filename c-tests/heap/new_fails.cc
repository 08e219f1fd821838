/*
 * operator new without memory: the new-handler runs, bad_alloc flies through our frame, nothrow returns null; and afterwards the
 * heap is watched as before.
 */
#include "heap.h"
#include <new>
#include <sys/resource.h>

static int asked;
static char *reserve;

static void out_of_memory()
{
    if (++asked == 1) {
        delete[] reserve;
        reserve = nullptr;
    } else {
        throw std::bad_alloc();
    }
}

static __attribute__((noinline)) char *demand(size_t size)
{
    return static_cast<char *>(opaque(new char[size]));
}

int main()
{
    reserve = demand(32 << 20);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    rlim_t before = limit.rlim_cur;
    /* Enough for what is there, not for the 8 GiB that are asked for (in 32 bits: for nearly 2). */
    limit.rlim_cur = sizeof(size_t) == 8 ? (rlim_t)6 << 30 : 0x60000000;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    size_t much = sizeof(size_t) == 8 ? (size_t)PTRDIFF_MAX >> 30 : 0x7fff0000;

    bool thrown = false;
    try {
        demand(much);
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    CHECK(thrown);
    try {
        thrown = false;
        opaque(::operator new(much, std::align_val_t(4096)));
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    CHECK(thrown);
    CHECK(!opaque(new (std::nothrow) char[much]));
    CHECK(!opaque(::operator new(much, std::align_val_t(64), std::nothrow)));
    CHECK(!opaque(::operator new(much, std::nothrow)));

    /* The handler makes room: it is called, and the operator tries again. */
    std::set_new_handler(out_of_memory);
    try {
        thrown = false;
        demand(much);
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    CHECK(thrown && asked == 2 && !reserve);
    try {
        thrown = false;
        demand(much);
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    CHECK(thrown && asked == 3);
    std::set_new_handler(nullptr);

    limit.rlim_cur = before;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    char *block = demand(40); /* allocated */
#ifndef CLEAN
    free(opaque(block)); /* here */
#else
    delete[] block;
#endif
    printf("ok\n");
    return 0;
}
