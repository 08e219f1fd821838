/*
 * A signal handler allocates, frees and asks. By itself that is safe here: while libc's malloc runs the signal is blocked, or the
 * interrupted calls take no lock of its (free(NULL), malloc_usable_size, calls that fail at once), so whatever hangs or breaks
 * would be ours.
 */
#include "heap.h"
#include <sys/time.h>

static volatile sig_atomic_t handled;
static char *stock[16];

static void handler(int number)
{
    (void)number;
    int kept = errno;
    int slot = handled++ % 16;
    char *block = malloc((size_t)slot * 20 + 1);
    if (block)
        block[0] = 'h';
    char *last = stock[slot];
    stock[slot] = realloc(block, 500);
    free(last);
    void *out;
    if (posix_memalign(&out, 64, 100) == 0)
        free(out);
    errno = kept;
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0); /* instead of the end after 20 seconds: the loop below ends by itself */
    struct itimerval every = {{0, 400}, {0, 400}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    char *block = filled(100);
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    void *out;
    for (unsigned long i = 0; handled < 600; i++) {
        free(NULL);
        CHECK(malloc_usable_size(block) >= 100);
        CHECK(posix_memalign(&out, 3, 100) == EINVAL);
        errno = 0;
        CHECK(!opaque(calloc(SIZE_MAX / 2, 3)) && errno == ENOMEM);
        CHECK(!opaque(reallocarray(block, SIZE_MAX / 2, 3)) && errno == ENOMEM);
        if (i % 1000 == 0) {
            pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
            free(filled(i % 5000 + 1));
            pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
        }
    }
    memset(&every, 0, sizeof every);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    for (int i = 0; i < 16; i++)
        free(stock[i]);
    free(block);
    printf("ok\n");
    return 0;
}
