/*
 * The clean twin of mismatch.cc: every family frees its own, in all forms that there are. shim must be silent.
 */
#include "heap.h"
#include <cstddef>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

struct Counted {
    static int alive;
    int value = 7;
    Counted() { alive++; }
    ~Counted() { alive--; }
};
int Counted::alive;

/* A class with operators of its own. */
struct Pooled {
    char bytes[48];
    static void *operator new(size_t size) { return malloc(size); }
    static void operator delete(void *block) { free(block); }
    static void *operator new[](size_t size) { return malloc(size); }
    static void operator delete[](void *block, size_t) { free(block); }
};

struct alignas(64) Wide {
    char bytes[64];
    ~Wide() { bytes[0] = 1; }
};

template <typename T> static T *seen(T *pointer)
{
    return static_cast<T *>(opaque(pointer));
}

int main()
{
    delete seen(new int(1));
    delete[] seen(new int[10]);
    delete[] seen(new Counted[10]);
    CHECK(Counted::alive == 0);
    delete seen(new (std::nothrow) Counted);
    delete[] seen(new (std::nothrow) Counted[3]);
    delete seen(new Pooled);
    delete[] seen(new Pooled[3]);

    Wide *wide = seen(new Wide);
    CHECK(reinterpret_cast<uintptr_t>(wide) % 64 == 0);
    delete wide;
    wide = seen(new Wide[5]);
    CHECK(reinterpret_cast<uintptr_t>(wide) % 64 == 0);
    delete[] wide;
    wide = seen(new (std::nothrow) Wide);
    delete wide;

    ::operator delete(seen(::operator new(100)));
    ::operator delete(seen(::operator new(100)), size_t(100));
    ::operator delete(seen(::operator new(100, std::nothrow)), std::nothrow);
    ::operator delete[](seen(::operator new[](100)));
    ::operator delete[](seen(::operator new[](100)), size_t(100));
    ::operator delete[](seen(::operator new[](100, std::nothrow)), std::nothrow);
    std::align_val_t page{4096};
    void *aligned = seen(::operator new(100, page));
    CHECK(reinterpret_cast<uintptr_t>(aligned) % 4096 == 0);
    ::operator delete(aligned, page);
    ::operator delete(seen(::operator new(100, page)), size_t(100), page);
    ::operator delete(seen(::operator new(100, page, std::nothrow)), page, std::nothrow);
    ::operator delete[](seen(::operator new[](100, page)), page);
    ::operator delete[](seen(::operator new[](100, page)), size_t(100), page);
    ::operator delete[](seen(::operator new[](100, page, std::nothrow)), page, std::nothrow);
    delete seen(static_cast<int *>(nullptr));
    delete[] seen(static_cast<int *>(nullptr));
    /* A block of no bytes is a block, and a different one each time. */
    void *none = ::operator new(0), *other = ::operator new(0);
    CHECK(none && other && none != other);
    ::operator delete(none);
    ::operator delete(other);

    /* Placement: the memory is malloc's, the object nobody's. */
    void *memory = malloc(sizeof(Counted));
    Counted *placed = new (memory) Counted;
    placed->~Counted();
    free(memory);

    {
        std::vector<std::string> words;
        for (int i = 0; i < 1000; i++)
            words.push_back(std::string(static_cast<size_t>(i), 'x'));
        std::map<int, std::shared_ptr<Counted>> tree;
        for (int i = 0; i < 1000; i++)
            tree[i % 100] = std::make_shared<Counted>();
        auto array = std::make_unique<std::string[]>(20);
        array[3] = words[999];
    }
    CHECK(Counted::alive == 0);

    free(strdup("a string"));
    printf("ok\n");
    return 0;
}
