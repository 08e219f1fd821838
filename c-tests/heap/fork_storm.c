/*
 * Eight threads allocate and free while the process forks: each child allocates, frees what it has inherited, and exits, returns from
 * main's side by _exit, or becomes another program.
 */
#include "heap.h"

#define CHILDREN 60

static volatile int stop;

static void *churn(void *nothing)
{
    char *ring[64] = {0};
    for (unsigned i = 0; !stop; i++) {
        free(ring[i % 64]);
        ring[i % 64] = filled(i * 37 % 3000 + 1);
        if (i % 512 == 0)
            usleep(200);
    }
    for (int i = 0; i < 64; i++)
        free(ring[i]);
    return nothing;
}

int main(void)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, churn, NULL) == 0);
    char *inherited[50];
    for (int i = 0; i < 50; i++)
        inherited[i] = filled((size_t)i * 90 + 1);
    for (int n = 0; n < CHILDREN; n++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(10);
            char *own[50];
            for (int i = 0; i < 50; i++)
                own[i] = filled((size_t)i * 70 + 1);
            for (int i = 0; i < 50; i++) {
                free(inherited[i]);
                free(own[i]);
            }
            if (n % 10 == 0) {
                char *arguments[] = {"true", NULL};
                execv("/bin/true", arguments);
                _exit(127);
            }
            if (n % 10 == 1) {
                pid_t grandchild = fork();
                if (grandchild == 0) {
                    free(filled(10));
                    _exit(0);
                }
                int status;
                waitpid(grandchild, &status, 0);
                _exit(status != 0);
            }
            _exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    stop = 1;
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 50; i++)
        free(inherited[i]);
    printf("ok\n");
    return 0;
}
