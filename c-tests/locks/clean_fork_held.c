/*
 * Forks while other threads hold locks. The child lets go what the forking thread held, makes the others' anew by call or by
 * assignment, and lets go what a thread that it does not have had taken: POSIX has the child handlers do it so.
 */
#include "../test.h"
#include <spawn.h>

static pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER, others = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t third = PTHREAD_MUTEX_INITIALIZER, library = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t assigned = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
extern char **environ;
extern pid_t _Fork(void) __attribute__((weak));

static void prepare(void)
{
    pthread_mutex_lock(&library);
    pthread_mutex_lock(&assigned);
}

static void parent(void)
{
    pthread_mutex_unlock(&assigned);
    pthread_mutex_unlock(&library);
}

static void child(void)
{
    pthread_mutex_unlock(&library);
    assigned = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

static void *holder(void *unused)
{
    pthread_mutex_lock(&others);
    pthread_mutex_lock(&third);
    pthread_rwlock_rdlock(&shared);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    pthread_rwlock_unlock(&shared);
    pthread_mutex_unlock(&third);
    pthread_mutex_unlock(&others);
    return unused;
}

static void *of_child(void *unused)
{
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&others);
        pthread_mutex_lock(&mine);
        pthread_mutex_unlock(&mine);
        pthread_mutex_unlock(&others);
    }
    return unused;
}

static void in_child(int threads)
{
    pthread_mutex_unlock(&mine);
    pthread_mutex_init(&others, NULL);
    pthread_mutex_unlock(&third);
    pthread_mutex_lock(&third);
    pthread_mutex_unlock(&third);
    pthread_rwlock_rdlock(&shared);
    pthread_rwlock_unlock(&shared);
    pthread_mutex_lock(&others);
    pthread_mutex_lock(&assigned);
    pthread_mutex_unlock(&assigned);
    pthread_mutex_unlock(&others);
    pthread_mutex_lock(&mine);
    pthread_mutex_unlock(&mine);
    if (threads)
        IN_THREAD(of_child, NULL);
}

static void await(pid_t pid)
{
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_atfork(prepare, parent, child);
    pthread_create(&thread, NULL, holder, NULL);
    pthread_barrier_wait(&barrier);
    pthread_mutex_lock(&mine);

    pid_t pid = fork();
    if (pid == 0) {
        in_child(1);
        exit(0);
    }
    await(pid);
    if (_Fork) {
        pid = _Fork();
        if (pid == 0) {
            in_child(0);
            _exit(0);
        }
        await(pid);
    }
    pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        in_child(0);
        _exit(0);
    }
    await(pid);
    /* The child shares our memory: what it takes it gives back. */
    pid = vfork();
    if (pid == 0) {
        pthread_mutex_lock(&library);
        pthread_mutex_unlock(&library);
        _exit(0);
    }
    await(pid);
    char *arguments[] = {"true", NULL};
    CHECK(posix_spawnp(&pid, "true", NULL, NULL, arguments, environ) == 0);
    await(pid);

    pthread_mutex_unlock(&mine);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    pthread_mutex_lock(&library);
    pthread_mutex_lock(&assigned);
    pthread_mutex_unlock(&assigned);
    pthread_mutex_unlock(&library);
    puts("ok");
    return 0;
}
