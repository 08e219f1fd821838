/*
 * Two threads open and close without pause while main forks fifty times; each child opens, closes and ends.
 * No child may hang on a lock that a thread held at the fork: silent, and in time.
 */
#include "../test.h"
#include <stdatomic.h>

static atomic_int done;

static void *churn(void *number)
{
    while (!done)
        close(dup2(1, *(int *)number));
    return NULL;
}

int main(void)
{
    int numbers[2] = {100, 110}, status;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, churn, &numbers[i]) == 0);
    for (int i = 0; i < 50; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            int fd = AT(120, tcp());
            _exit(close(fd) != 0);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    done = 1;
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    printf("ok\n");
    return 0;
}
