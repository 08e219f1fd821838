/* Process-shared locks in shared memory, between processes; a robust one whose owner dies, thread and process. */
#include "../test.h"
#include <sys/mman.h>

struct room {
    pthread_mutex_t plain, robust;
    pthread_rwlock_t rw;
    int count;
};

static struct room *room;
static pthread_mutex_t own_robust;

static void *dies_with_it(void *lock)
{
    CHECK(pthread_mutex_lock(lock) == 0);
    return NULL;
}

static void recovers(pthread_mutex_t *lock)
{
    CHECK(pthread_mutex_lock(lock) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(lock) == 0);
    CHECK(pthread_mutex_unlock(lock) == 0);
    CHECK(pthread_mutex_lock(lock) == 0);
    CHECK(pthread_mutex_unlock(lock) == 0);
    IN_THREAD(dies_with_it, lock);
    CHECK(pthread_mutex_trylock(lock) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(lock) == 0);
    CHECK(pthread_mutex_unlock(lock) == 0);
}

int main(void)
{
    room = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(room != MAP_FAILED);
    pthread_mutexattr_t of_mutex;
    pthread_rwlockattr_t of_rw;
    pthread_mutexattr_init(&of_mutex);
    pthread_mutexattr_setrobust(&of_mutex, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&own_robust, &of_mutex);
    pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&room->robust, &of_mutex);
    pthread_mutexattr_setrobust(&of_mutex, PTHREAD_MUTEX_STALLED);
    pthread_mutex_init(&room->plain, &of_mutex);
    pthread_rwlockattr_init(&of_rw);
    pthread_rwlockattr_setpshared(&of_rw, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&room->rw, &of_rw);

    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            for (int n = 0; n < 1000; n++) {
                pthread_mutex_lock(&room->plain);
                room->count++;
                pthread_mutex_unlock(&room->plain);
                pthread_rwlock_rdlock(&room->rw);
                pthread_rwlock_unlock(&room->rw);
            }
            /* Handed from one process to another, which only a semaphore is meant for, but which nobody here can see. */
            pthread_mutex_lock(&room->plain);
            pthread_mutex_unlock(&room->plain);
            exit(0);
        }
    }
    for (int i = 0, status; i < 4; i++)
        CHECK(wait(&status) > 0 && status == 0);
    CHECK(room->count == 4000);

    IN_THREAD(dies_with_it, &own_robust);
    recovers(&own_robust);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(&room->robust);
        _exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
    recovers(&room->robust);

    /* Unmapped by a process that has it: others go on with it. */
    pid = fork();
    if (pid == 0) {
        pthread_rwlock_rdlock(&room->rw);
        pthread_mutex_lock(&room->plain);
        munmap(room, 4096);
        exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
    puts("ok");
    return 0;
}
