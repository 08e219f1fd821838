/*
 * What libc returns for the program to free is the program's: strdup, asprintf, getline, scandir, getaddrinfo, realpath, open_memstream, …
 */
#include "heap.h"
#include <dirent.h>
#include <glob.h>
#include <netdb.h>
#include <regex.h>
#include <wchar.h>

int main(void)
{
    free(NULL);
    free(strdup("a string"));
    free(strndup("a string", 3));
    free(wcsdup(L"a string"));
    char *text = NULL;
    CHECK(asprintf(&text, "%d", 12345) == 5);
    free(text);

    FILE *file = fopen("/proc/self/status", "r");
    size_t size = 0;
    char *line = NULL;
    CHECK(file && getline(&line, &size, file) > 0 && getline(&line, &size, file) > 0);
    free(line);
    line = NULL, size = 0;
    CHECK(getdelim(&line, &size, ':', file) > 0);
    free(line);
    char *word = NULL;
    CHECK(fscanf(file, "%ms", &word) == 1);
    free(word);
    fclose(file);

    struct dirent **entries;
    int count = scandir("/etc", &entries, NULL, alphasort);
    CHECK(count > 0);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);

    struct addrinfo hints = {.ai_family = AF_INET, .ai_flags = AI_NUMERICHOST}, *found;
    CHECK(getaddrinfo("127.0.0.1", "80", &hints, &found) == 0);
    freeaddrinfo(found);

    free(realpath("/usr/../etc/./passwd", NULL));
    free(getcwd(NULL, 0));
    free(get_current_dir_name());
    char *name = tempnam("/tmp", "shim");
    free(name);

    char *buffer;
    FILE *memory = open_memstream(&buffer, &size);
    CHECK(memory);
    for (int i = 0; i < 5000; i++)
        fprintf(memory, "%d,", i);
    fclose(memory);
    CHECK(size > 5000);
    free(buffer);

    glob_t globbed;
    CHECK(glob("/etc/*", 0, NULL, &globbed) == 0);
    globfree(&globbed);
    regex_t expression;
    CHECK(regcomp(&expression, "(a|b)*c", REG_EXTENDED) == 0);
    CHECK(regexec(&expression, "ababc", 0, NULL, 0) == 0);
    regfree(&expression);

    CHECK(setenv("A_NAME", "a value", 1) == 0 && unsetenv("A_NAME") == 0);
    /* A buffer of our own for stdio: it is not freed by fclose. */
    file = fopen("/dev/null", "w");
    char *own = filled(4096);
    CHECK(setvbuf(file, own, _IOFBF, 4096) == 0);
    fprintf(file, "text");
    fclose(file);
    free(own);
    printf("ok\n");
    return 0;
}
