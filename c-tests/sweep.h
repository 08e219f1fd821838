/* What a program looks like before it closes everything: some numbers were used and closed, some belong to FILEs and DIRs. */
#ifndef SWEEP_H
#define SWEEP_H

#include "test.h"
#include <dirent.h>

static inline void prepare_for_sweep(void)
{
    CHECK(fopen("/dev/null", "r") != NULL);
    CHECK(opendir("/") != NULL);
    for (int fd = 10; fd < 40; fd += 3)
        CHECK(close(AT(fd, open_null())) == 0);
    for (int fd = 11; fd < 40; fd += 3)
        AT(fd, tcp());
    AT(200, open_null());
}

#endif
