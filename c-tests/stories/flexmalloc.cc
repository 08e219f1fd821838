/*
 * Call sites in C++ for FlexMalloc's location files: operator new in its forms, whose first frame is libstdc++'s in a list that a tool has
 * recorded; a container, whose frames are in headers; a template; malloc beside them.
 *
 *     flexmalloc_cc DIRECTORY
 */
#include "flexmalloc.h"
#include <new>
#include <vector>

namespace solver {

template <int N> struct Field {
    char *block;
    APART explicit Field() : block(new char[SITE(N)])
    {
        SAY(N, block);
    }
    ~Field() { delete[] block; }
};

APART static void fields()
{
    Field<0> a;
    Field<1> b;
}

struct Large {
    char bytes[SITE(2)];
};

APART static void one(void)
{
    Large *large = new Large;
    SAY(2, large);
    delete large;
}

struct alignas(256) Aligned {
    char bytes[SITE(3)];
};

APART static void aligned(void)
{
    Aligned *block = new Aligned;
    SAY(3, block);
    delete block;
}

APART static void container(int number)
{
    std::vector<char> bytes;
    bytes.reserve(SITE(number));
    SAY(number, bytes.data());
}

APART static void twice()
{
    container(4);
    container(5);
}

APART static void quietly()
{
    void *block = operator new(SITE(6), std::nothrow);
    SAY(6, block);
    operator delete(block);
}

APART static void plainly()
{
    void *block = malloc(SITE(7));
    SAY(7, block);
    free(block);
}

}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    directory = argv[1];
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int round = 0; round < 3; round++) {
        solver::fields();
        solver::one();
        solver::aligned();
        solver::twice();
        solver::quietly();
        solver::plainly();
    }
    fprintf(stderr, "main at %p\n", (void *)main);
    printf("ok\n");
    return 3;
}
