/*
 * The program has operators new and delete of its own, the two basic ones only: the others of libstdc++ end in them, and must go on
 * to do so. Its blocks are not the allocator's: a pool, with a header, so that a free of theirs would be the end.
 */
#include "heap.h"
#include <new>
#include <string>
#include <vector>

static int made, gone;
alignas(16) static char pool[1 << 20];
static size_t used;

void *operator new(size_t size)
{
    made++;
    size_t at = used;
    used += (size + 31) & ~size_t(15);
    CHECK(used < sizeof pool);
    return pool + at + 16;
}

void operator delete(void *block) noexcept
{
    if (!block)
        return;
    CHECK(static_cast<char *>(block) > pool && static_cast<char *>(block) < pool + sizeof pool);
    gone++;
}

template <typename T> static T *seen(T *pointer)
{
    return static_cast<T *>(opaque(pointer));
}

int main()
{
    delete seen(new int(1));
    delete[] seen(new int[10]);
    delete seen(new (std::nothrow) int);
    delete[] seen(new (std::nothrow) int[2]);
    ::operator delete(seen(::operator new(100)), size_t(100));
    ::operator delete[](seen(::operator new[](100)), size_t(100));
    ::operator delete[](seen(::operator new[](100, std::nothrow)), std::nothrow);
    {
        std::vector<std::string> words;
        for (int i = 0; i < 100; i++)
            words.push_back(std::string(100, 'x'));
    }
    printf("%d made, %d gone\n", made, gone);
    CHECK(made == gone && made > 100);
    printf("ok\n");
    return 0;
}
