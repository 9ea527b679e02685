/* Names the digit on a picture with the library that this makes from a network and its weights:
 *   cnnc build ../lenet5.cnn --weights ../weights/lenet5.safetensors --output .
 *   cc -std=c99 embed.c -I. -L. -llenet5 -Wl,-rpath,. -o embed && ./embed digit.pgm */
#include "lenet5.h"

#include <stdio.h>
#include <stdlib.h>

static float image[LENET5_IMAGE_ELEMENTS], scores[LENET5_OUTPUT_ELEMENTS];

static void *aligned(size_t bytes) {
  char *memory = malloc(bytes + LENET5_ALIGNMENT);
  return memory ? memory + LENET5_ALIGNMENT - (uintptr_t)memory % LENET5_ALIGNMENT : NULL;
}

static void check(int code) {
  if (code != LENET5_OK)
    exit((fprintf(stderr, "lenet5: %s\n", lenet5_error(code)), 1));
}

int main(int argc, char **argv) {
  FILE *file = fopen(argc > 1 ? argv[1] : "digit.pgm", "r");
  if (!file || fscanf(file, "P2 28 28 255") != 0)
    exit((fprintf(stderr, "a text PGM of 28 x 28 pixels is needed\n"), 1));
  for (int i = 0; i < LENET5_IMAGE_ELEMENTS; ++i)
    if (fscanf(file, "%f", &image[i]) == 1)
      image[i] /= 255;

  lenet5_model *model = aligned(lenet5_model_bytes());
  check(lenet5_model_init(model, NULL));
  lenet5_session *session = aligned(lenet5_session_bytes(model, 1, 1));
  const lenet5_session_options options = {.size = sizeof options, .max_batch = 1, .threads = 1};
  check(lenet5_session_init(session, model, &options));

  const lenet5_inputs inputs = {.image = image};
  const lenet5_outputs outputs = {.output = scores};
  check(lenet5_run(session, 1, &inputs, &outputs));
  int best = 0;
  for (int i = 1; i < LENET5_OUTPUT_ELEMENTS; ++i)
    best = scores[i] > scores[best] ? i : best;
  printf("%d (score %.3f, on %s)\n", best, scores[best], lenet5_isa(model));
}
