/*
 * The operators belong to a library that stands before libstdc++: the program preloads it behind whatever is preloaded, and starts
 * itself again.
 */
#include "heap.h"
#include <dlfcn.h>
#include <string>
#include <vector>

int main(int, char **argv)
{
    if (!getenv("AGAIN")) {
        std::string path(4096, 0);
        path.resize(static_cast<size_t>(readlink("/proc/self/exe", &path[0], 4000)));
        std::string library = path.substr(0, path.rfind('/')) + "/lib_operators.so";
        const char *before = getenv("LD_PRELOAD");
        setenv("LD_PRELOAD", (before ? std::string(before) + ":" + library : library).c_str(), 1);
        setenv("AGAIN", "1", 1);
        execv(path.c_str(), argv);
        return 1;
    }
    int *alive = static_cast<int *>(dlsym(RTLD_DEFAULT, "lib_operators_alive"));
    CHECK(alive);
    int before = *alive;
    {
        std::vector<std::string> words;
        for (int i = 0; i < 100; i++)
            words.push_back(std::string(100, 'x'));
        CHECK(*alive > before + 100);
    }
    CHECK(*alive == before);
    int *numbers = static_cast<int *>(opaque(new int[10]));
    CHECK(*alive == before + 1);
    delete[] numbers;
    CHECK(*alive == before);
    printf("ok\n");
    return 0;
}
