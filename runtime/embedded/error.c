/* What each error code means, in a sentence for a log. */
#include "runtime/embedded/cnn_shared.h"

const char *cnn_api_error(int code) {
#define CNN_ERROR_CASE(name, code, text)                                                                               \
  case code:                                                                                                           \
    return text;
  switch (code) {
  case CNN_OK:
    return "no error";
    CNN_ERRORS(CNN_ERROR_CASE)
  }
  return "unknown error code";
}
