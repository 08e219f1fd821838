/*
 * The number of stdout is closed, and then the stream: nothing is left to close, and fclose must say EBADF, also where
 * protect makes no call at all. (Programs look: gnulib's close_stdout forgives EBADF and complains of everything else.)
 */
#include "../test.h"

int main(void)
{
    int out = dup(1);
    AT(1, open_null()); /* opened */
    errno = EOPNOTSUPP;
#ifndef CLEAN
    CHECK(close(1) == 0); /* closed */
    CHECK(fclose(stdout) == EOF && errno == EBADF); /* here */
#else
    CHECK(fclose(stdout) == 0 && errno == EOPNOTSUPP);
#endif
    CHECK(write(out, "ok\n", 3) == 3);
    return 0;
}
