/* Steps of the library `fit` on numbers of its own, with argv[2] threads: prints the losses, and a sum over the state's
 * bytes. The memory around the state must stay as it was, and what is wrong with arguments must be refused. */
#include "fit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kBatch = 24 };
static float images[kBatch * FIT_IMAGE_ELEMENTS];
static int64_t labels[kBatch];

static char *aligned(size_t bytes) {
  char *memory = malloc(bytes + FIT_ALIGNMENT);
  return memory ? memory + FIT_ALIGNMENT - (uintptr_t)memory % FIT_ALIGNMENT : NULL;
}

static void check(int code, int wanted) {
  if (code == wanted)
    return;
  fprintf(stderr, "fit: %s (%d instead of %d)\n", fit_error(code), code, wanted);
  exit(1);
}

int main(int argc, char **argv) {
  const int threads = argc > 2 ? atoi(argv[2]) : 1;
  fit_model_options model_options = {sizeof(fit_model_options), argv[1], NULL, 0};
  fit_session_options options = {sizeof(fit_session_options), kBatch, threads, NULL, NULL};
  fit_model *model = (fit_model *)aligned(fit_model_bytes());
  fit_session *session;
  char *block = aligned(FIT_STATE_BYTES + 2 * FIT_ALIGNMENT), *state = block + FIT_ALIGNMENT;
  float loss, scores[kBatch * FIT_SCORES_ELEMENTS];
  fit_inputs inputs;
  fit_outputs outputs;
  fit_hyper hyper;
  uint64_t sum = 0;

  for (int i = 0; i < kBatch * FIT_IMAGE_ELEMENTS; ++i)
    images[i] = (float)(i * 37 % 101) / 101;
  for (int i = 0; i < kBatch; ++i)
    labels[i] = i % 4;
  memset(block, 0x5a, FIT_STATE_BYTES + 2 * FIT_ALIGNMENT);
  memset(&inputs, 0, sizeof inputs);
  memset(&outputs, 0, sizeof outputs);
  inputs.image = images;
  inputs.label = labels;
  outputs.loss = &loss;
  outputs.scores = scores;

  check(fit_model_init(model, &model_options), FIT_OK);
  check(fit_state_init(model, NULL), FIT_ERROR_NULL);
  check(fit_state_init(model, state + 4), FIT_ERROR_ALIGNMENT);
  check(fit_state_init(model, state), FIT_OK);
  session = (fit_session *)aligned(fit_session_bytes(model, kBatch, threads));
  check(fit_session_init(session, model, &options), FIT_ERROR_NULL);
  options.state = state + 4;
  check(fit_session_init(session, model, &options), FIT_ERROR_ALIGNMENT);
  options.state = state;
  check(fit_session_init(session, model, &options), FIT_OK);
  memset(&hyper, 0, sizeof hyper);
  hyper.rate = 0.02f;
  hyper.seed = 7;
  check(fit_step(session, kBatch, &inputs, NULL, &outputs), FIT_ERROR_NULL);
  check(fit_step(session, kBatch + 1, &inputs, &hyper, &outputs), FIT_ERROR_BATCH);
  for (int step = 0; step < 20; ++step) {
    hyper.step = step;
    check(fit_step(session, step % 2 ? kBatch : kBatch - 5, &inputs, &hyper, &outputs), FIT_OK);
    printf("loss %a\n", loss);
  }
  fit_session_end(session);
  fit_model_end(model);

  for (int i = 0; i < FIT_VARIABLES; ++i) {
    const fit_variable *variable = &fit_state[i];
    const size_t width = strcmp(variable->type, "i64") == 0 ? 8 : 4;
    for (size_t byte = 0; byte < width * variable->elements; ++byte)
      sum = sum * 31 + (unsigned char)state[variable->offset + byte];
  }
  printf("state %016llx\n", (unsigned long long)sum);
  for (int i = 0; i < FIT_ALIGNMENT; ++i)
    if (block[i] != 0x5a || state[FIT_STATE_BYTES + i] != 0x5a) {
      fprintf(stderr, "a step wrote beside the state\n");
      return 1;
    }
  return 0;
}
