/* Bench rows of the descriptor family: see rows.h. */
#include "rows.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void socket_close(long n)
{
    for (long i = 0; i < n; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || close(fd) != 0)
            abort();
    }
}

static void open_close(long n)
{
    for (long i = 0; i < n; i++) {
        int fd = open("/dev/null", O_RDONLY);
        if (fd < 0 || close(fd) != 0)
            abort();
    }
}

static void pipe_byte(long n)
{
    int p[2];
    char c = 'x';
    if (pipe(p) != 0)
        abort();
    for (long i = 0; i < n; i++)
        if (write(p[1], &c, 1) != 1 || read(p[0], &c, 1) != 1)
            abort();
    close(p[0]);
    close(p[1]);
}

static void malloc_free(long n)
{
    for (long i = 0; i < n; i++) {
        void *volatile p = malloc(32);
        free(p);
    }
}

static const struct row rows[] = {
    {"socket+close", socket_close, 100000, 1, 0},
    {"open+close", open_close, 100000, 1, 0},
    {"pipe-byte", pipe_byte, 300000, 1, 0},
    {"malloc+free", malloc_free, 10000000, 1, 0},
};

int main(int argc, char **argv)
{
    return RUN_ROWS(argc, argv, rows, run_here);
}
