/*
 * The second "free" is a realloc. protect answers ENOMEM: the program is told that there is no memory for it.
 */
#include "heap.h"

int main(void)
{
    char *block = filled(40); /* allocated */
    free(block); /* freed */
#ifndef CLEAN
    errno = 0;
    char *moved = realloc(opaque(block), 24); /* here */
    printf("%s\n", moved ? "moved" : errno == ENOMEM ? "ENOMEM" : "?");
#endif
    printf("ok\n");
    fflush(stdout);
    _exit(0);
}
