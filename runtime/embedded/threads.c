/* The pool that comes with a library. Between jobs a thread spins for a short while, because the steps of a network
 * follow each other within microseconds and a futex takes fifteen to wake up; then it sleeps. The calling thread is
 * worker 0. */
#define _GNU_SOURCE
#include "runtime/embedded/cnn_runtime.h"

#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kSpinNanoseconds = 50000, kPausesBetweenClocks = 32 };
static const uint32_t kStop = UINT32_MAX; /* as the number of workers */

static void futex_wait(const void *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}
static void futex_wake(const void *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

int64_t cnn_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

typedef struct spin {
  int64_t end;
  int pauses;
} spin;

/* Pauses; false when the time is over. */
static int spin_more(spin *state) {
  __builtin_ia32_pause();
  if (++state->pauses % kPausesBetweenClocks)
    return 1;
  if (state->end == 0)
    state->end = cnn_now() + kSpinNanoseconds;
  return cnn_now() < state->end;
}

/* The low half of the job word, which is where little-endian machines keep it. */
static const void *generation_of(cnn_threads *threads) { return &threads->job; }

static uint64_t next_job(cnn_threads *threads, uint32_t seen) {
  uint64_t job;
  spin state = {0, 0};
  do {
    job = atomic_load_explicit(&threads->job, memory_order_acquire);
    if ((uint32_t)job != seen)
      return job;
  } while (spin_more(&state));
  atomic_fetch_add(&threads->sleepers, 1);
  while ((uint32_t)(job = atomic_load(&threads->job)) == seen)
    futex_wait(generation_of(threads), seen);
  atomic_fetch_sub(&threads->sleepers, 1);
  return job;
}

static void *work(void *argument) {
  cnn_worker *worker = argument;
  cnn_threads *threads = worker->threads;
  for (uint32_t seen = 0;;) {
    uint64_t job = next_job(threads, seen);
    seen = (uint32_t)job;
    uint32_t workers = (uint32_t)(job >> 32);
    if (workers == kStop)
      return NULL;
    if ((uint32_t)worker->index >= workers)
      continue;
    threads->task(threads->argument, worker->index);
    if (atomic_fetch_sub(&threads->pending, 1) == 1 && atomic_load(&threads->caller_sleeps))
      futex_wake(&threads->pending, 1);
  }
}

static void publish(cnn_threads *threads, uint32_t workers) {
  uint32_t generation = (uint32_t)atomic_load_explicit(&threads->job, memory_order_relaxed) + 1;
  atomic_store(&threads->job, (uint64_t)workers << 32 | generation);
  if (atomic_load(&threads->sleepers))
    futex_wake(generation_of(threads), INT_MAX);
}

static void wait_for_workers(cnn_threads *threads) {
  spin state = {0, 0};
  do {
    if (atomic_load_explicit(&threads->pending, memory_order_acquire) == 0)
      return;
  } while (spin_more(&state));
  atomic_store(&threads->caller_sleeps, 1);
  for (uint32_t left; (left = atomic_load(&threads->pending)) != 0;)
    futex_wait(&threads->pending, left);
  atomic_store(&threads->caller_sleeps, 0);
}

void cnn_threads_parallel_for(void *context, int workers, cnn_task task, void *argument) {
  cnn_threads *threads = context;
  if (workers > threads->started + 1)
    workers = threads->started + 1;
  if (workers <= 1 || atomic_exchange_explicit(&threads->busy, 1, memory_order_acquire)) {
    task(argument, 0);
    return;
  }
  threads->task = task;
  threads->argument = argument;
  atomic_store_explicit(&threads->pending, (uint32_t)workers - 1, memory_order_relaxed);
  publish(threads, (uint32_t)workers);
  task(argument, 0);
  wait_for_workers(threads);
  atomic_store_explicit(&threads->busy, 0, memory_order_release);
}

int cnn_threads_start(cnn_threads *threads, int count, cnn_worker *workers) {
  memset(threads, 0, sizeof *threads);
  threads->workers = workers;
  /* Signals are the application's: none is handled on a thread of the pool. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int code = CNN_OK;
  for (int i = 0; i < count - 1 && code == CNN_OK; ++i) {
    workers[i].threads = threads;
    workers[i].index = i + 1;
    if (pthread_create(&workers[i].handle, NULL, work, &workers[i]) == 0)
      threads->started = i + 1;
    else
      code = CNN_ERROR_THREAD_START;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code != CNN_OK)
    cnn_threads_stop(threads);
  return code;
}

void cnn_threads_stop(cnn_threads *threads) {
  publish(threads, kStop);
  for (int i = 0; i < threads->started; ++i)
    pthread_join(threads->workers[i].handle, NULL);
  threads->started = 0;
}
