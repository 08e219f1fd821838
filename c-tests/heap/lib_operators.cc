/*
 * A library with operators new and delete of its own, a pool: preloaded behind shim it stands before libstdc++.
 */
#include <cstdio>
#include <cstdlib>
#include <new>

alignas(16) static char pool[4 << 20];
static size_t used;
int lib_operators_alive;

void *operator new(size_t size)
{
    lib_operators_alive++;
    size_t at = used;
    used += (size + 31) & ~size_t(15);
    if (used > sizeof pool)
        abort();
    return pool + at;
}

void operator delete(void *block) noexcept
{
    if (!block)
        return;
    if (block < pool || block >= pool + sizeof pool)
        abort();
    lib_operators_alive--;
}
