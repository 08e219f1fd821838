/*
 * What the tests of keys share. An expression that is not optimised into a jump: `CALLED(pthread_getspecific(key))`.
 */
#ifndef KEYS_H
#define KEYS_H

#include "../plugin.h"
#include "../test.h"
#include <threads.h>

#define CALLED(expression)                                                                                             \
    ({                                                                                                                 \
        __typeof__(expression) result_ = (expression);                                                                 \
        __asm__ volatile("" ::: "memory");                                                                             \
        result_;                                                                                                       \
    })

/* The function of a plugin. */
#define FIND(handle, type, name)                                                                                       \
    ({                                                                                                                 \
        __typeof__(type) found_ = (type)dlsym(handle, name);                                                           \
        CHECK(found_ != NULL);                                                                                         \
        found_;                                                                                                        \
    })

#endif
