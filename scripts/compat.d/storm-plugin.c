#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
static int fd; static FILE *file;
__attribute__((constructor)) static void in(void) { fd = open("/dev/null", O_RDONLY); file = fopen("/dev/null", "r"); }
__attribute__((destructor)) static void out(void) { close(fd); fclose(file); }
int twice(int f) { int d = dup(f); close(d); return f >= 0; }
