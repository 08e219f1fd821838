/*
 * A vfork child, which has its parent's memory and thread, allocates and frees: its own blocks, and the parent's. Whatever it leaves is the
 * parent's to free.
 */
#include "heap.h"

static char *left_behind, *given_up;

int main(void)
{
    for (int i = 0; i < 100; i++) {
        given_up = filled(60);
        pid_t child = vfork();
        if (child == 0) {
            left_behind = malloc(80);
            left_behind[0] = 'l';
            left_behind = realloc(left_behind, 800);
            free(given_up);
            free(malloc(10));
            _exit(0);
        }
        CHECK(child > 0);
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        CHECK(left_behind[0] == 'l');
        free(left_behind);
        /* The address of what the child gave up is given out again, and freed once. */
        char *again = filled(60);
        free(again);
    }
    printf("ok\n");
    return 0;
}
