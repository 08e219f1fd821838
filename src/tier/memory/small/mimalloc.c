/* mimalloc as the allocator of small blocks inside tiers: its sources in one unit, over a machine of ours.
 *
 * Why one unit with the sources included: everything of mimalloc stays internal to this object, so no other copy of it in the
 * process, nor the archive that its crate also builds, can be bound to ours or ours to it. Why not `prim/unix/prim.c`: that file
 * runs a library constructor, reads MIMALLOC_* of the environment, writes to stderr and calls munmap, syscall and madvise by names
 * that a preloaded library may export itself. The functions that replace it are below; they reach the kernel through Rust.
 *
 * What is changed, and why:
 *  - pthread mutexes are a futex word of ours: no call leaves for a library, and a hook never sees them.
 *  - the per-thread part of a heap lies in ordinary memory, not in the tier: it costs no slice of the device for each thread, and a
 *    forked child can change its own copy although the tier's memory is shared with the parent.
 *  - errno is a variable of ours: an allocation that finds no room must not change the program's.
 *  - a thread is entered into a gate around every call, so that fork finds nobody inside.
 *
 * Built by build.rs; the Rust side is memory/small/mimalloc.rs.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A thread as the gate knows it, in memory that outlives the thread: memory/gate.rs. */
typedef struct tier_thread_s {
  _Atomic(uint32_t) inside; /* how deep; only its thread writes it */
  _Atomic(uint32_t) used;
  struct tier_thread_s* next;
} tier_thread_t;

/* What Rust gives. Why a table: a function that C can call by name would be exported from the library. */
typedef struct tier_machine_s {
  void* (*map)(size_t size, bool accessible);
  int (*unmap)(void* at, size_t size);
  int (*access)(void* at, size_t size, bool allow);
  int (*discard)(void* at, size_t size);
  int64_t (*milliseconds)(void);
  void (*give_way)(void);
  void (*wait)(_Atomic(uint32_t)* word, uint32_t value);
  void (*wake)(_Atomic(uint32_t)* word);
  tier_thread_t* (*gate_register)(void);         /* a node, never NULL */
  void (*gate_wait)(tier_thread_t* thread);      /* leaves, waits until the gate is open, enters again */
} tier_machine_t;

static const tier_machine_t* tier_machine;

/* --- mutexes: 0 free, 1 held, 2 held and somebody waits ------------------------------------------------------------ */

static inline _Atomic(uint32_t)* tier_word(pthread_mutex_t* mutex) { return (_Atomic(uint32_t)*)(void*)mutex; }

static int tier_mutex_trylock(pthread_mutex_t* mutex) {
  uint32_t expected = 0;
  return atomic_compare_exchange_strong_explicit(tier_word(mutex), &expected, 1, memory_order_acquire, memory_order_relaxed) ? 0
                                                                                                                          : EBUSY;
}

static int tier_mutex_lock(pthread_mutex_t* mutex) {
  for (int tries = 0; tries < 64; tries++) {
    if (tier_mutex_trylock(mutex) == 0) return 0;
  }
  while (atomic_exchange_explicit(tier_word(mutex), 2, memory_order_acquire) != 0) {
    tier_machine->wait(tier_word(mutex), 2);
  }
  return 0;
}

static int tier_mutex_unlock(pthread_mutex_t* mutex) {
  if (atomic_exchange_explicit(tier_word(mutex), 0, memory_order_release) == 2) tier_machine->wake(tier_word(mutex));
  return 0;
}

static int tier_mutex_destroy(pthread_mutex_t* mutex) {
  (void)mutex;
  return 0;
}

#define pthread_mutex_trylock tier_mutex_trylock
#define pthread_mutex_lock tier_mutex_lock
#define pthread_mutex_unlock tier_mutex_unlock
#define pthread_mutex_destroy tier_mutex_destroy

/* --- errno, and what must never be called -------------------------------------------------------------------------- */

static __thread int tier_errno;
#undef errno
#define errno tier_errno

/* Only its posix aliases want the environment, and throwing operators an abort: neither is called. */
static char* tier_no_environment(const char* name) {
  (void)name;
  return NULL;
}
#define getenv tier_no_environment
#define abort __builtin_trap
/* Only mi_realpath wants these. */
#define realpath(name, into) ((char*)NULL)
#define pathconf(name, what) (-1)
#define free(block) ((void)(block))

/* --- the sources, in the order of static.c, without prim ----------------------------------------------------------- */

#include "mimalloc.h"
#include "mimalloc/internal.h"
#include "mimalloc/prim.h"

/* Compared with, never written to. */
#undef stdout
#undef stderr
#define stdout ((void*)1)
#define stderr ((void*)1)

#include "alloc.c"
#include "alloc-aligned.c"
#include "alloc-posix.c"

/* The only guard there is around giving memory back, for all arenas of the process. Who must have memory waits for it: the thread
 * inside may be busy with another tier's. That one takes the lock of a tier's state meanwhile, which nobody holds who comes here. */
static bool tier_guard_enter(mi_atomic_guard_t* guard, bool must) {
  pthread_mutex_t* mutex = (pthread_mutex_t*)(void*)guard;
  return must ? tier_mutex_lock(mutex) == 0 : tier_mutex_trylock(mutex) == 0;
}
static bool tier_guard_leave(mi_atomic_guard_t* guard) {
  tier_mutex_unlock((pthread_mutex_t*)(void*)guard);
  return false;
}
#undef mi_atomic_guard
#define mi_atomic_guard(guard) for (bool inside = tier_guard_enter(guard, force); inside; inside = tier_guard_leave(guard))
#include "arena.c"
#include "arena-meta.c"
#include "bitmap.c"
#include "heap.c"
#include "init.c"
#include "libc.c"
#include "options.c"
#include "os.c"
#include "page.c"
#include "page-map.c"
#include "random.c"
#include "stats.c"
/* The only call there makes the per-thread part of a heap with an arena of its own. */
#define _mi_arenas_alloc(heap, size, commit, large, arena, seq, node, memid) _mi_meta_zalloc(sizeof(mi_theap_t), (memid))
#include "theap.c"
#undef _mi_arenas_alloc
#include "threadlocal.c"

/* --- the machine below mimalloc: see mimalloc/prim.h --------------------------------------------------------------- */

bool _mi_is_redirected(void) { return false; }
bool _mi_allocator_init(const char** message) {
  if (message != NULL) *message = NULL;
  return true;
}
void _mi_allocator_done(void) {}

void _mi_prim_mem_init(mi_os_mem_config_t* config) {
  config->page_size = 4096;
  config->alloc_granularity = 4096;
  config->large_page_size = 0;
  config->virtual_address_bits = 47;
  config->has_overcommit = true;
  config->has_partial_free = true;
  config->has_virtual_reserve = true;
  config->has_transparent_huge_pages = false;
}

int _mi_prim_alloc(void* hint, size_t size, size_t align, bool commit, bool large, bool* is_large, bool* is_zero, void** at) {
  (void)hint, (void)align, (void)large;
  *is_large = false;
  *is_zero = true;
  *at = tier_machine->map(size, commit);
  return *at == NULL ? ENOMEM : 0;
}
int _mi_prim_free(void* at, size_t size) { return tier_machine->unmap(at, size); }
int _mi_prim_commit(void* at, size_t size, bool* is_zero) {
  *is_zero = false;
  return tier_machine->access(at, size, true);
}
int _mi_prim_decommit(void* at, size_t size, bool* needs_recommit) {
  *needs_recommit = false;
  return tier_machine->discard(at, size);
}
int _mi_prim_reset(void* at, size_t size) { return tier_machine->discard(at, size); }
int _mi_prim_reuse(void* at, size_t size) {
  (void)at, (void)size;
  return 0;
}
int _mi_prim_protect(void* at, size_t size, bool protect) { return tier_machine->access(at, size, !protect); }
int _mi_prim_alloc_huge_os_pages(void* hint, size_t size, int node, bool* is_zero, void** at) {
  (void)hint, (void)size, (void)node;
  *is_zero = false;
  *at = NULL;
  return ENOMEM;
}
size_t _mi_prim_numa_node(void) { return 0; }
size_t _mi_prim_numa_node_count(void) { return 1; }
mi_msecs_t _mi_prim_clock_now(void) { return tier_machine->milliseconds(); }
void _mi_prim_process_info(mi_process_info_t* info) { (void)info; }
void _mi_prim_out_stderr(const char* message) { (void)message; }
bool _mi_prim_getenv(const char* name, char* result, size_t size) {
  (void)name, (void)result, (void)size;
  return false;
}
/* The free lists are not encoded: weak seeds do. */
bool _mi_prim_random_buf(void* to, size_t size) {
  (void)to, (void)size;
  return false;
}
void _mi_prim_thread_init_auto_done(void) {}
void _mi_prim_thread_done_auto_done(void) {}
void _mi_prim_thread_associate_default_theap(mi_theap_t* theap) { (void)theap; }
bool _mi_prim_thread_is_in_threadpool(void) { return false; }
void _mi_prim_thread_yield(void) { tier_machine->give_way(); }

/* --- the gate: see memory/gate.rs ---------------------------------------------------------------------------------- */

/* Bit 0: closed. Bit 1: the kernel has no membarrier, so every entry needs a fence of its own. */
_Atomic(uint32_t) tier_gate;
static __thread tier_thread_t* tier_me;

static inline tier_thread_t* tier_enter(void) {
  tier_thread_t* me = tier_me;
  if (__builtin_expect(me == NULL, 0)) me = tier_me = tier_machine->gate_register();
  const uint32_t depth = atomic_load_explicit(&me->inside, memory_order_relaxed);
  atomic_store_explicit(&me->inside, depth + 1, memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst);
  if (__builtin_expect(atomic_load_explicit(&tier_gate, memory_order_relaxed) != 0, 0) && depth == 0) tier_machine->gate_wait(me);
  return me;
}

static inline void tier_leave(tier_thread_t* me) {
  const uint32_t depth = atomic_load_explicit(&me->inside, memory_order_relaxed);
  atomic_store_explicit(&me->inside, depth - 1, memory_order_release);
}

void tier_gate_enter(void) { tier_enter(); }
void tier_gate_leave(void) { tier_leave(tier_me); }

const tier_thread_t* tier_gate_own(void) { return tier_me; }

/* The thread's node, taken from it: it is about to end. */
tier_thread_t* tier_gate_forget(void) {
  tier_thread_t* me = tier_me;
  tier_me = NULL;
  return me;
}

/* --- what Rust calls ------------------------------------------------------------------------------------------------ */

/* Once, before anything else. */
void tier_small_start(const tier_machine_t* machine) {
  tier_machine = machine;
  _mi_auto_process_init();
  /* From here on nobody is mimalloc's main thread. It knows that thread by an address, which another thread gets when the first one
   * has ended, and then takes over what the dead one left in static memory. The starting thread gets its own part when it asks. */
  _mi_theap_default_set((mi_theap_t*)&_mi_theap_empty);
  __mi_theap_main = NULL;
  tld_main.thread_id = ~(mi_threadid_t)7;
}

/* What lies there may not be zero: only what `commit` says is. */
/* An arena over [at, at + size) with a heap of its own; NULL when it cannot be. */
mi_heap_t* tier_small_heap(void* at, size_t size, bool pinned, mi_commit_fun_t* commit, void* of) {
  mi_arena_id_t arena = NULL;
  if (!mi_manage_memory(at, size, false, pinned, false, -1, true, commit, of, &arena)) return NULL;
  return mi_heap_new_in_arena(arena);
}

/* `usable`: how many bytes the block holds. */
void* tier_small_allocate(mi_heap_t* heap, size_t size, size_t align, bool zeroed, size_t* usable) {
  tier_thread_t* me = tier_enter();
  void* block;
  size_t held = 0;
  if (size < MI_MAX_ALIGN_SIZE) size = MI_MAX_ALIGN_SIZE; /* smaller ones it aligns to 8 bytes */
  if (align <= MI_MAX_ALIGN_SIZE) {
    block = mi_theap_malloc_zero_nonnull(_mi_heap_theap(heap), size, zeroed, 0, &held);
  } else {
    block = zeroed ? mi_heap_zalloc_aligned(heap, size, align) : mi_heap_malloc_aligned(heap, size, align);
    if (block != NULL) held = mi_usable_size(block);
  }
  *usable = held;
  tier_leave(me);
  return block;
}

static inline size_t tier_usable(const mi_page_t* page, const void* block) {
  return mi_page_has_interior_pointers(page) ? _mi_usable_size(block, page) : mi_page_usable_block_size(page);
}

/* How many bytes the block held. */
size_t tier_small_free(void* block) {
  tier_thread_t* me = tier_enter();
  mi_page_t* page = _mi_ptr_page(block);
  const size_t usable = tier_usable(page, block);
  mi_free_ex(block, NULL, page);
  tier_leave(me);
  return usable;
}

size_t tier_small_usable(const void* block) { return tier_usable(_mi_ptr_page(block), block); }

void tier_small_give_back(mi_heap_t* heap) { mi_heap_collect(heap, true); }

void tier_small_thread_ends(void) { mi_thread_done(); }

/* In a forked child: the calling thread's pages of this heap are nobody's any more. They lie in memory that is, or was, the
 * parent's, and nothing may be changed there. */
void tier_small_abandon(mi_heap_t* heap) {
  mi_theap_t* theap = (mi_theap_t*)_mi_thread_local_get(heap->theap);
  if (theap == NULL || theap == (mi_theap_t*)1) return;
  _mi_memcpy(theap->pages_free_direct, _mi_theap_empty.pages_free_direct, sizeof(theap->pages_free_direct));
  _mi_memcpy(theap->pages, _mi_theap_empty.pages, sizeof(theap->pages));
  theap->page_count = 0;
  theap->pages_full_size = 0;
  theap->page_retired_min = MI_BIN_FULL;
  theap->page_retired_max = 0;
}
