/*
 * Every lock of the C++ library, by several threads, and the exceptions that it makes of EDEADLK: silent but for information.
 */
#include "../test.h"
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static std::mutex plain;
static std::timed_mutex timed;
static std::recursive_mutex recursive;
static std::recursive_timed_mutex recursive_timed;
static std::shared_mutex shared;
static std::shared_timed_mutex shared_timed;
static std::condition_variable ready;
static std::condition_variable_any ready_any;
static std::once_flag once;
static long count, waiting;

static void work()
{
    std::call_once(once, [] { count = 1; });
    for (int i = 0; i < 300; i++) {
        {
            std::scoped_lock both(plain, timed);
            count++;
        }
        if (timed.try_lock_for(1ms))
            timed.unlock();
        std::lock_guard<std::recursive_mutex> one(recursive), two(recursive);
        std::unique_lock<std::recursive_timed_mutex> r(recursive_timed, 50ms);
        {
            std::shared_lock<std::shared_mutex> reading(shared);
        }
        {
            std::unique_lock<std::shared_mutex> writing(shared, std::try_to_lock);
        }
        {
            std::shared_lock<std::shared_timed_mutex> reading(shared_timed, 1ms);
        }
        std::unique_lock<std::shared_timed_mutex> writing(shared_timed, 1ms);
    }
    std::unique_lock<std::mutex> lock(plain);
    waiting++;
    ready.wait_for(lock, 1ms, [] { return waiting == 8; });
    lock.unlock();
    std::unique_lock<std::shared_mutex> any(shared);
    ready_any.wait_for(any, 1ms);
    any.unlock();
    ready.notify_all();
    ready_any.notify_all();
}

template <class F> static int caught(F action)
{
    try {
        action();
    } catch (const std::system_error &e) {
        return e.code().value();
    }
    return 0;
}

int main()
{
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++)
        threads.emplace_back(work);
    for (auto &thread : threads)
        thread.join();
    std::unique_lock<std::shared_mutex> writing(shared);
    CHECK(caught([] { shared.lock(); }) == EDEADLK);
    CHECK(caught([] { shared.lock_shared(); }) == EDEADLK);
    CHECK(caught([&] { writing.lock(); }) == EDEADLK);
    writing.unlock();
    CHECK(caught([&] { writing.unlock(); }) == EPERM);
    writing.lock();
    puts("ok");
    return 0;
}
