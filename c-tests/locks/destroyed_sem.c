/* A semaphore is posted after its destruction, and destroyed again. */
#include "../test.h"
#include <semaphore.h>

static sem_t free_slots;

int main(void)
{
    CHECK(sem_init(&free_slots, 0, 3) == 0); /* created */
    CHECK(sem_wait(&free_slots) == 0);
    CHECK(sem_post(&free_slots) == 0);
    CHECK(sem_destroy(&free_slots) == 0); /* deleted */
#ifdef CLEAN
    CHECK(sem_init(&free_slots, 0, 3) == 0);
#endif
    CHECK(sem_post(&free_slots) == 0);    /* here */
    CHECK(sem_destroy(&free_slots) == 0);
#ifndef CLEAN
    CHECK(sem_destroy(&free_slots) == 0); /* here */
#endif
    puts("ok");
    return 0;
}
