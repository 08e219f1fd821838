/*
 * Threads with the least stack that there is, and handlers on a signal stack with little more than the kernel's own frame:
 * what was enough for the program is enough with shim. It takes no call stacks there, and says nothing.
 */
#include "../test.h"
#include <limits.h>
#include <sys/auxv.h>
#include <sys/mman.h>

static void calls(void)
{
    int pipes[2], fd = open_null(), s = socket(AF_UNIX, SOCK_STREAM, 0);
    char byte;
    CHECK(fd >= 0 && s >= 0 && pipe(pipes) == 0);
    CHECK(write(pipes[1], "x", 1) == 1 && read(pipes[0], &byte, 1) == 1);
    int copy = dup(fd);
    CHECK(copy >= 0 && dup2(fd, 900) == 900);
    CHECK(close(900) == 0 && close(copy) == 0 && close(pipes[0]) == 0 && close(pipes[1]) == 0);
    CHECK(close(s) == 0 && close(fd) == 0);
    free(malloc(100));
}

static void handler(int signal)
{
    (void)signal;
    calls();
}

static void *thread(void *argument)
{
    calls();
    return argument;
}

int main(void)
{
    pthread_attr_t little;
    CHECK(pthread_attr_init(&little) == 0 && pthread_attr_setstacksize(&little, PTHREAD_STACK_MIN) == 0);
    for (int i = 0; i < 20; i++) {
        pthread_t there;
        CHECK(pthread_create(&there, &little, thread, NULL) == 0 && pthread_join(there, NULL) == 0);
    }

    calls(); /* so that every symbol is resolved */
    /* AT_MINSIGSTKSZ: older headers have no name for it, older kernels no answer. */
    size_t least = getauxval(51) ? getauxval(51) : 2048;
    size_t page = 4096, len = (least + 5120 + page - 1) / page * page;
    char *low = mmap(NULL, page + len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(low != MAP_FAILED && mprotect(low, page, PROT_NONE) == 0);
    stack_t stack = { .ss_sp = low + page, .ss_size = len };
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
    CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0);
    puts("ok");
    return 0;
}
