/*
 * What libc keeps for itself: the environment, a locale, buffers of streams, the table of a search tree and of a hash.
 */
#include "../lost.h"
#include <locale.h>
#include <search.h>
#include <time.h>

static char line[128];

int main(void)
{
    CHECK(setenv("LEAK_TEST", "a value that is longer than what was there", 1) == 0);
    CHECK(putenv(HIDDEN(strdup("LEAK_OTHER=of the program"))) == 0);
    setlocale(LC_ALL, "C.UTF-8");
    CHECK(newlocale(LC_ALL_MASK, "C", 0) != 0);
    tzset();
    FILE *file = fopen("/dev/null", "r+");
    CHECK(file && fgets(line, sizeof line, file) == NULL);
    CHECK(hcreate(100) != 0);
    CHECK(atexit(scrub) == 0);
    for (int i = 0; i < 50; i++)
        CHECK(on_exit((void (*)(int, void *))scrub, NULL) == 0);
    scrub();
    printf("ok\n");
    return 0;
}
