/*
 * A child frees a block of its parent, which is right, and once more, which is not: the stack of the allocation is the parent's.
 */
#include "heap.h"

int main(void)
{
    char *block = filled(40); /* allocated */
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        free(block); /* freed */
#ifndef CLEAN
        free(opaque(block)); /* here */
#endif
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    printf("child: %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    free(block);
    printf("ok\n");
    return 0;
}
