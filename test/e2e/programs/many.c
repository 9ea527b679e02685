// Runs resnet20 on zeros as often as argv[1] says, for a profiler to look at.
#include "resnet20.h"

#include <stdlib.h>

int main(int argc, char **argv) {
  static float image[RESNET20_IMAGE_ELEMENTS], scores[RESNET20_OUTPUT_ELEMENTS];
  resnet20_model *model = aligned_alloc(RESNET20_ALIGNMENT, resnet20_model_bytes());
  resnet20_session_options options = {.size = sizeof options, .max_batch = 1, .threads = 1};
  if (!model || resnet20_model_init(model, NULL))
    return 1;
  resnet20_session *session = aligned_alloc(RESNET20_ALIGNMENT, resnet20_session_bytes(model, 1, 1));
  if (!session || resnet20_session_init(session, model, &options))
    return 1;
  const resnet20_inputs inputs = {.image = image};
  const resnet20_outputs outputs = {.output = scores};
  for (int i = argc > 1 ? atoi(argv[1]) : 1; i > 0; --i)
    if (resnet20_run(session, 1, &inputs, &outputs))
      return 1;
  resnet20_session_end(session);
  resnet20_model_end(model);
  free(session);
  free(model);
  return 0;
}
