/*
 * The first allocation of the process, which starts us, is made with the lock of setlocale held: what we ask libc then must not
 * want it. The constructor of a library that is preloaded behind us makes it, before ours runs. And dlerror knows nothing of
 * our own failed lookups.
 */
#include "heap.h"
#include <dlfcn.h>
#include <libgen.h>
#include <locale.h>

int main(int count, char **arguments)
{
    (void)count;
    if (!getenv("AGAIN")) {
        char path[4096], preload[9000];
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
        CHECK(length > 0);
        path[length] = 0;
        const char *before = getenv("LD_PRELOAD");
        snprintf(preload, sizeof preload, "%s%s%.*s/lib_locale.so", before ? before : "", before ? ":" : "",
                 (int)(strrchr(path, '/') - path), path);
        CHECK(setenv("LD_PRELOAD", preload, 1) == 0 && setenv("AGAIN", "1", 1) == 0);
        execv(path, arguments);
        return 1;
    }
    CHECK(!dlerror());
    locale_t *made = dlsym(RTLD_DEFAULT, "lib_locale");
    CHECK(made && *made);
    for (int i = 0; i < 3; i++) {
        CHECK(setlocale(LC_ALL, ""));
        CHECK(setlocale(LC_CTYPE, "C"));
    }
    freelocale(*made);
    CHECK(!dlsym(RTLD_DEFAULT, "no_such_function") && strstr(dlerror(), "no_such_function") && !dlerror());
    printf("ok\n");
    return 0;
}
