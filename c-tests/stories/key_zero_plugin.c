/* The plugin of key_zero.c: keeps a buffer for each thread, in a key that nobody creates. With FIXED it does. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER 256
#define BUFFERS 64

static pthread_key_t plugin_key;
static char buffers[BUFFERS][BUFFER];
static atomic_uint next;

#ifdef FIXED
__attribute__((constructor)) static void plugin_begin(void)
{
    if (pthread_key_create(&plugin_key, NULL) != 0)
        abort();
}
#endif

static void take_buffer(void)
{
    char *buffer = buffers[next++ % BUFFERS];
    memset(buffer, 'x', BUFFER); /* what memory looks like that was used before */
    pthread_setspecific(plugin_key, buffer); /* here */
    __asm__ volatile("");
}

/* Returns how much it has saved: nothing, without a buffer. */
size_t plugin_compress(const char *text)
{
    take_buffer();
    char *buffer = pthread_getspecific(plugin_key);
    if (!buffer)
        return 0;
    memcpy(buffer + BUFFER / 2, text, strnlen(text, BUFFER / 2));
    return 1;
}
