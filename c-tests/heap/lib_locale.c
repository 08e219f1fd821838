/*
 * A library whose constructor makes a locale: an allocation under the lock of setlocale, and the first of the process.
 */
#include <locale.h>

locale_t lib_locale;

__attribute__((constructor)) static void first(void)
{
    lib_locale = newlocale(LC_ALL_MASK, "POSIX", (locale_t)0);
}
