/* Runs `pair` on two images with one thread and with three, and compares with plain loops; the border is zeros. */
#include "pair.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { kBatch = 2, kHeight = PAIR_A_DIM2, kWidth = PAIR_A_DIM3, kPlanes = kBatch * PAIR_A_DIM1 };

static void *aligned(size_t bytes) {
  char *memory = malloc(bytes + PAIR_ALIGNMENT);
  return memory + PAIR_ALIGNMENT - (uintptr_t)memory % PAIR_ALIGNMENT;
}

static float a[kBatch * PAIR_A_ELEMENTS], b[kBatch * PAIR_B_ELEMENTS];
static float sum[kBatch * PAIR_SUM_ELEMENTS], edges[kBatch * PAIR_EDGES_ELEMENTS];

static float at(int plane, int y, int x) {
  return y < 0 || x < 0 || y >= kHeight || x >= kWidth ? 0 : a[(plane * kHeight + y) * kWidth + x];
}

int main(void) {
  pair_model *model = aligned(pair_model_bytes());
  if (pair_model_init(model, NULL) != PAIR_OK)
    return 1;
  for (int i = 0; i < kBatch * PAIR_A_ELEMENTS; ++i) {
    a[i] = (float)(i * 7 % 23);
    b[i] = (float)(i * 5 % 19);
  }
  for (int threads = 1; threads <= 3; threads += 2) {
    pair_session *session = aligned(pair_session_bytes(model, kBatch, threads));
    const pair_session_options options = {.size = sizeof options, .max_batch = kBatch, .threads = threads};
    if (pair_session_init(session, model, &options) != PAIR_OK)
      return 2;
    const pair_inputs inputs = {.a = a, .b = b};
    const pair_outputs outputs = {.sum = sum, .edges = edges};
    if (pair_run(session, kBatch, &inputs, &outputs) != PAIR_OK)
      return 3;
    pair_session_end(session);
    for (int plane = 0; plane < kPlanes; ++plane)
      for (int y = 0; y < kHeight; ++y)
        for (int x = 0; x < kWidth; ++x) {
          int i = (plane * kHeight + y) * kWidth + x;
          float wanted =
              at(plane, y - 1, x) + at(plane, y + 1, x) + at(plane, y, x - 1) + at(plane, y, x + 1) - 4 * a[i];
          if (sum[i] != a[i] + b[i] || fabsf(edges[i] - wanted) > 1e-4f) {
            printf("element %d with %d threads: sum %g, edges %g instead of %g\n", i, threads, sum[i], edges[i],
                   wanted);
            return 4;
          }
        }
  }
  printf("right on %s\n", pair_isa(model));
  pair_model_end(model);
  return 0;
}
