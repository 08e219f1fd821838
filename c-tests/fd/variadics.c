/*
 * The calls that libc declares as variadic, with and without the argument that they may take: a hook of fixed arity must
 * hand on what was passed, and make nothing of what was not. Silent.
 */
#include "../test.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char path[] = "/tmp/shim-variadics.XXXXXX";

static mode_t mode_of(int fd)
{
    struct stat status;
    CHECK(fstat(fd, &status) == 0);
    return status.st_mode & 07777;
}

int main(void)
{
    CHECK(mkdtemp(path) != NULL && chdir(path) == 0);
    umask(0);

    /* open: a mode with O_CREAT or O_TMPFILE only */
    int fd = AT(100, open("a", O_CREAT | O_RDWR, 0640));
    CHECK(mode_of(fd) == 0640);
    int again = AT(101, open("a", O_RDWR));
    CHECK(mode_of(again) == 0640);
    int at = AT(102, openat(AT_FDCWD, "b", O_CREAT | O_WRONLY, 04711));
    CHECK(mode_of(at) == 04711);

    /* fcntl: nothing, a number, a pointer */
    CHECK(fcntl(fd, F_GETFD) == 0);
    CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 7, .l_len = 9};
    CHECK(fcntl(fd, F_SETLK, &lock) == 0);
    CHECK(fcntl(fd, F_DUPFD, 150) == 150 && close(150) == 0);

    /* ioctl: a pointer, and nothing */
    int number = -1;
    CHECK(write(fd, "twelve bytes", 12) == 12);
    CHECK(ioctl(again, FIONREAD, &number) == 0 && number == 12);
    CHECK(ioctl(fd, FIOCLEX) == 0);

    /* syscall: no argument, and all six */
    CHECK(syscall(SYS_getpid) == getpid());
    long page = sysconf(_SC_PAGESIZE);
#ifdef SYS_mmap2
    char *map = (char *)syscall(SYS_mmap2, NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
#else
    char *map = (char *)syscall(SYS_mmap, NULL, page, PROT_READ, MAP_PRIVATE, fd, 0L);
#endif
    CHECK(map != MAP_FAILED && memcmp(map, "twelve bytes", 12) == 0);
    CHECK(munmap(map, page) == 0);

    /* prctl: one pointer */
    char name[16] = "";
    CHECK(prctl(PR_SET_NAME, "variadic") == 0 && prctl(PR_GET_NAME, name) == 0 && strcmp(name, "variadic") == 0);

    CHECK(close(at) == 0 && close(again) == 0 && close(fd) == 0);
    CHECK(unlink("a") == 0 && unlink("b") == 0 && rmdir(path) == 0);
    puts("ok");
    return 0;
}
