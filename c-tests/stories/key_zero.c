/*
 * A program with a plugin that forgets pthread_key_create: the story of a segfault in dlsym.
 *
 *     key_zero PLUGIN
 *
 * The program keeps what it knows of each request in a key of its own. Between two requests it calls the plugin, which
 * keeps a buffer per thread in a key that it never created: a static variable, and so 0. And it looks for optional functions with
 * dlsym, as programs do.
 *
 * Up to glibc 2.33 index 0 is the one that dlerror took for itself at the first dlsym: the plugin's pointer becomes
 * the state of dlerror, and the next dlsym follows it. Since then index 0 is the program's own key.
 *
 * Prints "survived" when every request was served for whom it came from; a line and status 1 at the first that was not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    char user[16];
    int number;
};

static pthread_key_t current_request;

static void begin_request(struct request *request)
{
    if (pthread_setspecific(current_request, request) != 0)
        abort();
}

static const char *current_user(void)
{
    struct request *request = pthread_getspecific(current_request);
    return request ? request->user : "nobody";
}

static int has_option(const char *name)
{
    return dlsym(RTLD_DEFAULT, name) != NULL; /* fails: dlerror keeps a message for this thread */
}

static void *serve(void *argument)
{
    size_t (*compress)(const char *) = argument;
    struct request request;
    int requests = 100;
    for (int i = 0; i < requests; i++) {
        snprintf(request.user, sizeof request.user, "user%d", i % 7);
        request.number = i;
        begin_request(&request);
        compress("the answer");
        if (has_option("compress_faster"))
            return "dlsym found what is not there";
        if (strcmp(current_user(), request.user) != 0) {
            printf("request %d of %s was served for %.15s\n", i, request.user, current_user());
            return "mixed up";
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    void *plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    size_t (*compress)(const char *) = plugin ? (size_t (*)(const char *))dlsym(plugin, "plugin_compress") : NULL;
    if (!compress) {
        fprintf(stderr, "key_zero: %s\n", argc > 1 ? dlerror() : "which plugin?");
        return 2;
    }
    has_option("compress_at_all");
    if (pthread_key_create(&current_request, NULL) != 0)
        abort();
    pthread_t worker;
    void *wrong;
    if (pthread_create(&worker, NULL, serve, (void *)compress) != 0 || pthread_join(worker, &wrong) != 0)
        abort();
    if (!wrong)
        wrong = serve((void *)compress);
    puts(wrong ? (char *)wrong : "survived");
    return wrong != NULL;
}
