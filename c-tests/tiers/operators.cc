// operator new and delete, new[] and delete[], with alignment and without, of a class and of the standard library, from a template.
#include "tiers.h"
#include <map>
#include <new>
#include <string>
#include <vector>

namespace solver {
template <class T> struct Field {
    std::vector<T> values;
    __attribute__((noinline)) explicit Field(size_t size) : values(size) {}
};
struct alignas(256) Wide {
    char bytes[2048];
};
__attribute__((noinline)) char *make(size_t size) { return new char[size]; }
__attribute__((noinline)) Wide *wide() { return static_cast<Wide *>(opaque(new Wide)); }
__attribute__((noinline)) void *quiet(size_t size) { return opaque(operator new(size, std::nothrow)); }
} // namespace solver

int main()
{
    solver::Field<double> field(100000);
    PLACED(field.values.data());
    field.values.resize(300000, 1.5);
    CHECK(field.values[299999] == 1.5);
    char *block = solver::make(5000);
    PLACED(block);
    delete[] block;
    solver::Wide *wide = solver::wide();
    PLACED(wide);
    CHECK(reinterpret_cast<uintptr_t>(wide) % 256 == 0);
    delete wide;
    void *quiet = solver::quiet(3000);
    PLACED(quiet);
    operator delete(quiet);
    CHECK(!solver::quiet(SIZE_MAX / 2));
    bool thrown = false;
    try {
        solver::make(SIZE_MAX / 2);
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    CHECK(thrown);
    std::map<int, std::string> map;
    for (int i = 0; i < 1000; i++)
        map[i] = std::string(200, 'x');
    ORDINARY(&map[500]);
    printf("ok\n");
    return 0;
}
