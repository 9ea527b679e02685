/* Gives `bytes` one picture as it lies in a frame buffer, once as bytes and once as numbers with strides, both with a
 * margin around it, and looks at what is kept. */
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kBatch = 2, kHeight = 4, kWidth = 6, kChannels = 3, kPitch = (kWidth + 5) * kChannels, kFrame = 7 * kPitch };

static void *aligned(size_t bytes) {
  char *memory = malloc(bytes + BYTES_ALIGNMENT);
  return memory + BYTES_ALIGNMENT - (uintptr_t)memory % BYTES_ALIGNMENT;
}

static void count(void *context, int64_t group, int64_t nanoseconds) {
  if (bytes_group(group) && nanoseconds >= 0)
    ++*(int *)context;
}

int main(void) {
  static uint8_t pixels[kBatch * kFrame];
  static float numbers[kBatch * kFrame], difference[kBatch * BYTES_DIFFERENCE_ELEMENTS];
  static float twice[kBatch * BYTES_TWICE_ELEMENTS];
  const int64_t rows[BYTES_PICTURE_RANK] = {kFrame, kPitch, kChannels, 1};
  const int64_t planes[BYTES_PLANES_RANK] = {kFrame, 1, kPitch, kChannels};
  const bytes_session_options options = {.size = sizeof options, .max_batch = kBatch, .threads = 2};
  bytes_model *model = aligned(BYTES_MODEL_BYTES);
  int groups = 0;
  for (int i = 0; i < kBatch * kFrame; ++i) {
    pixels[i] = (uint8_t)(i * 37 % 256);
    numbers[i] = pixels[i];
  }
  if (bytes_model_init(model, NULL) != BYTES_OK)
    return 1;
  bytes_session *session = aligned(bytes_session_bytes(model, kBatch, 2));
  if (bytes_session_init(session, model, &options) != BYTES_OK)
    return 2;
  bytes_session_on_group(session, count, &groups);
  const bytes_inputs inputs = {.picture = pixels, .picture_strides = rows, .planes = numbers, .planes_strides = planes};
  const bytes_outputs outputs = {.difference = difference, .twice = twice};
  if (bytes_run(session, kBatch, &inputs, &outputs) != BYTES_OK)
    return 3;
  for (int n = 0; n < kBatch; ++n)
    for (int c = 0; c < kChannels; ++c)
      for (int y = 0; y < kHeight; ++y)
        for (int x = 0; x < kWidth; ++x) {
          int i = ((n * kChannels + c) * kHeight + y) * kWidth + x;
          float wanted = 2 * pixels[n * kFrame + y * kPitch + x * kChannels + c];
          if (difference[i] != 0 || twice[i] != wanted) {
            printf("element %d: difference %g, twice %g instead of %g\n", i, difference[i], twice[i], wanted);
            return 4;
          }
        }
  if (groups != BYTES_GROUPS || bytes_group(BYTES_GROUPS))
    return 5;
  printf("right on %s\n", bytes_isa(model));
  bytes_session_end(session);
  bytes_model_end(model);
  return 0;
}
