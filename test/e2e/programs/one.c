/* Runs `tiny` on 3 images with 2 threads, dense and with strides, and prints the instruction set and the sum of the
 * outputs. The argument is a weights file, or '-' for none. C99 and C++. */
#include "tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES 3

static void *aligned(size_t bytes) {
  char *memory = (char *)malloc(bytes + TINY_ALIGNMENT);
  return memory + TINY_ALIGNMENT - (uintptr_t)memory % TINY_ALIGNMENT;
}

int main(int argc, char **argv) {
  static float x[IMAGES * TINY_X_ELEMENTS], y[IMAGES * TINY_Y_ELEMENTS], wide[2 * IMAGES * TINY_Y_ELEMENTS];
  const int64_t strides[TINY_Y_RANK] = {2 * TINY_Y_ELEMENTS, 2 * TINY_Y_DIM2, 2};
  tiny_model_options model_options = {sizeof(tiny_model_options), NULL, NULL, 0};
  tiny_session_options session_options = {sizeof(tiny_session_options), IMAGES, 2, NULL};
  tiny_inputs inputs = {x, NULL};
  tiny_outputs outputs = {y, NULL};
  tiny_model *model = (tiny_model *)aligned(TINY_MODEL_BYTES);
  tiny_session *session;
  double sum = 0;
  int i, code;

  if (argc > 1 && strcmp(argv[1], "-") != 0)
    model_options.weights_file = argv[1];
  code = tiny_model_init(model, &model_options);
  if (code != TINY_OK) {
    printf("error %d: %s\n", code, tiny_error(code));
    return 1;
  }
  session = (tiny_session *)aligned(tiny_session_bytes(model, IMAGES, 2));
  if (tiny_session_init(session, model, &session_options) != TINY_OK)
    return 2;
  for (i = 0; i < IMAGES * TINY_X_ELEMENTS; ++i)
    x[i] = (float)(i % 13);
  if (tiny_run(session, IMAGES, &inputs, &outputs) != TINY_OK)
    return 3;
  outputs.y = wide;
  outputs.y_strides = strides;
  if (tiny_run(session, IMAGES, &inputs, &outputs) != TINY_OK)
    return 4;
  for (i = 0; i < IMAGES * TINY_Y_ELEMENTS; ++i) {
    if (wide[2 * i] != y[i])
      return 5;
    sum += y[i];
  }
  printf("%s %.1f\n", tiny_isa(model), sum);
  tiny_session_end(session);
  tiny_model_end(model);
  return 0;
}
