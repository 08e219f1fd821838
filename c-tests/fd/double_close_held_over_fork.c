/*
 * A double close of number 3 could be the start of a close-everything loop, so it is held back until more is known; meanwhile the
 * process forks. It is the parent's, and told once.
 */
#include "../test.h"

int main(void)
{
    int three = dup2(0, 3); /* opened */
    int other = AT(40, open_null());
    CHECK(three == 3);
    close(three); /* closed */
    close(other);
#ifndef CLEAN
    close(three); /* here */
#endif
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(0);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    puts("ok");
    return 0;
}
