/* A routine of std::call_once throws, three times, from different depths; the fourth one runs to its end. */
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <unistd.h>

static std::once_flag once;
static std::mutex mutex;
static int calls;

static void routine()
{
    std::lock_guard<std::mutex> held(mutex);
    if (++calls < 4)
        throw std::runtime_error("not yet");
}

__attribute__((noinline)) static bool attempt(int depth)
{
    volatile char room[200];
    room[0] = 0;
    if (depth > 0)
        return attempt(depth - 1) && room[0] == 0;
    try {
        std::call_once(once, routine);
        return true;
    } catch (const std::runtime_error &) {
        return false;
    }
}

int main()
{
    alarm(20);
    bool done = attempt(0) || attempt(5);
    std::thread([] { attempt(2); }).join();
    if (done || !attempt(7) || !attempt(0) || calls != 4)
        return 1;
    std::puts("ok");
}
