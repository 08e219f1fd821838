/* std::mutex in objects that come and go: no call says when one begins or ends. Each thread takes its pair as it finds them. */
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <vector>

struct object {
    long number;
    std::mutex lock;
    std::vector<int> more;
};

static std::mutex table;

static void work(object &outer, object &inner)
{
    std::lock_guard<std::mutex> one(outer.lock);
    std::lock_guard<std::mutex> two(inner.lock);
    inner.more.push_back(1);
}

int main()
{
    alarm(20);
    for (int round = 0; round < 300; round++) {
        auto a = std::make_unique<object>();
        auto b = std::make_unique<object>();
        object *both[] = {a.get(), b.get()};
        // By address: what follows would be an inversion if the objects of all rounds were the same two.
        if ((both[0] < both[1]) != (round % 2 == 0))
            std::swap(both[0], both[1]);
        std::thread(work, std::ref(*both[0]), std::ref(*both[1])).join();
#ifndef CLEAN
        if (round == 299)
            std::thread(work, std::ref(*both[1]), std::ref(*both[0])).join();
#endif
        // std::lock takes one and tries the other.
        std::thread([&] { std::scoped_lock all(table, a->lock, b->lock); }).join();
        std::thread([&] { std::scoped_lock all(b->lock, a->lock, table); }).join();
    }
    puts("ok");
    return 0;
}
