/* Two networks in one program, on one pool, each with 8 threads at once on one model. Prints the sums of both networks'
 * outputs after all threads have got the same bits. */
#include "other.h"
#include "tiny.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kThreads = 8, kRepeats = 50 };

static void *aligned(size_t bytes) {
  char *memory = malloc(bytes + TINY_ALIGNMENT);
  return memory + TINY_ALIGNMENT - (uintptr_t)memory % TINY_ALIGNMENT;
}

static tiny_model *tiny;
static other_model *other;
static const cnn_pool *pool;

typedef struct result {
  float tiny[TINY_Y_ELEMENTS], y[OTHER_Y_ELEMENTS], sums[OTHER_SUMS_ELEMENTS];
  int code;
} result;

static void *work(void *argument) {
  result *r = argument;
  const tiny_session_options tiny_options = {sizeof tiny_options, 1, 0, pool};
  const other_session_options other_options = {sizeof other_options, 1, 0, pool};
  tiny_session *a = aligned(tiny_session_bytes(tiny, 1, pool->threads));
  other_session *b = aligned(other_session_bytes(other, 1, pool->threads));
  float x[TINY_X_ELEMENTS], bias[OTHER_BIAS_ELEMENTS];
  for (int i = 0; i < TINY_X_ELEMENTS; ++i)
    x[i] = (float)(i % 13);
  for (int i = 0; i < OTHER_BIAS_ELEMENTS; ++i)
    bias[i] = (float)i;
  r->code = tiny_session_init(a, tiny, &tiny_options) | other_session_init(b, other, &other_options);
  for (int repeat = 0; repeat < kRepeats && r->code == 0; ++repeat) {
    const tiny_inputs tiny_in = {x, NULL};
    const tiny_outputs tiny_out = {r->tiny, NULL};
    const other_inputs other_in = {x, NULL, bias, NULL};
    const other_outputs other_out = {r->y, NULL, r->sums, NULL};
    r->code = tiny_run(a, 1, &tiny_in, &tiny_out) | other_run(b, 1, &other_in, &other_out);
  }
  tiny_session_end(a);
  other_session_end(b);
  return NULL;
}

int main(void) {
  tiny = aligned(TINY_MODEL_BYTES);
  other = aligned(OTHER_MODEL_BYTES);
  if (tiny_model_init(tiny, NULL) != TINY_OK || other_model_init(other, NULL) != OTHER_OK)
    return 1;
  const tiny_session_options options = {sizeof options, 1, 2, NULL};
  tiny_session *owner = aligned(tiny_session_bytes(tiny, 1, 2));
  if (tiny_session_init(owner, tiny, &options) != TINY_OK)
    return 2;
  pool = tiny_session_pool(owner);

  static result results[kThreads];
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i)
    if (pthread_create(&threads[i], NULL, work, &results[i]) != 0)
      return 3;
  for (int i = 0; i < kThreads; ++i)
    pthread_join(threads[i], NULL);
  for (int i = 0; i < kThreads; ++i)
    if (results[i].code != 0 || memcmp(&results[i], &results[0], sizeof results[i]) != 0)
      return 4;
  double first = 0, second = 0, sums = 0;
  for (int i = 0; i < TINY_Y_ELEMENTS; ++i) {
    first += results[0].tiny[i];
    second += results[0].y[i];
  }
  for (int i = 0; i < OTHER_SUMS_ELEMENTS; ++i)
    sums += results[0].sums[i];
  printf("%.1f %.1f %.1f\n", first, second, sums);
  tiny_session_end(owner);
  tiny_model_end(tiny);
  other_model_end(other);
  return 0;
}
