/* Learns exclusive or with the library of a training step, in memory of its own:
 *   cnnc build --train xor.cnn --output .
 *   cc -std=c99 train.c -I. -L. -lxor_step -Wl,-rpath,. -lm -o train && ./train */
#include "xor_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float bits[4 * XOR_STEP_BITS_ELEMENTS] = {0, 0, 0, 1, 1, 0, 1, 1};
static const float wanted[4 * XOR_STEP_WANTED_ELEMENTS] = {0, 1, 1, 0};

static void *aligned(size_t bytes) {
  char *memory = malloc(bytes + XOR_STEP_ALIGNMENT);
  return memory ? memory + XOR_STEP_ALIGNMENT - (uintptr_t)memory % XOR_STEP_ALIGNMENT : NULL;
}

static void check(int code) {
  if (code != XOR_STEP_OK)
    exit((fprintf(stderr, "xor_step: %s\n", xor_step_error(code)), 1));
}

int main(void) {
  xor_step_model *model = aligned(xor_step_model_bytes());
  check(xor_step_model_init(model, NULL));
  void *state = aligned(XOR_STEP_STATE_BYTES); /* parameters and Adam's moments */
  check(xor_step_state_init(model, state));
  xor_step_session *session = aligned(xor_step_session_bytes(model, 4, 1));
  const xor_step_session_options options = {.size = sizeof options, .max_batch = 4, .threads = 1, .state = state};
  check(xor_step_session_init(session, model, &options));

  float loss = 0;
  const xor_step_inputs inputs = {.bits = bits, .wanted = wanted};
  const xor_step_outputs outputs = {.loss = &loss};
  xor_step_hyper hyper = {.rate = 0.1f};
  for (int step = 0; step < 300; ++step) {
    check(xor_step_step(session, 4, &inputs, &hyper, &outputs));
    if (step % 100 == 0)
      printf("step %3d: loss %.4f\n", step, loss);
  }
  printf("after 300: loss %.4f, %s\n", loss, loss < 0.05 ? "learnt" : "not learnt");
  for (int i = 0; i < XOR_STEP_VARIABLES; ++i)
    if (strcmp(xor_step_state[i].kind, "param") == 0)
      printf("%s: %d numbers at byte %d\n", xor_step_state[i].name, (int)xor_step_state[i].elements,
             (int)xor_step_state[i].offset);
  return loss < 0.05 ? 0 : 1;
}
