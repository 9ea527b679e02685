// See Network.h.
#include "test/unit/runtime/cuda/Network.h"

#include "runtime/embedded/cnn_hash.h"
#include "test/unit/runtime/cuda/StubDriver.h"

#include <cstring>

namespace network {
namespace {

constexpr int64_t kWeightBytes = 128, kInitialState = 64;
alignas(64) float weights[kWeightBytes / 4];
cnn_cuda_launch launchTable[kSteps + 1];

float *at(uint64_t base, int64_t bytes) { return reinterpret_cast<float *>(base + static_cast<uint64_t>(bytes)); }

// Arguments: addresses, strides, batch, units.
void prepareTable(const uint64_t *a) {
  for (uint64_t plane = 0; plane < a[5]; ++plane)
    at(a[1], 0)[plane] = at(a[0], 0)[plane] + 1;
}

void scale(const uint64_t *a) {
  for (uint64_t unit = 0; unit < a[7]; ++unit) {
    const int64_t image = static_cast<int64_t>(unit) / kPlanes, plane = static_cast<int64_t>(unit) % kPlanes;
    for (int64_t e = 0; e < kElements; ++e)
      at(a[2], image * static_cast<int64_t>(a[5]) + plane * kElements * 4)[e] =
          at(a[0], image * static_cast<int64_t>(a[3]) + plane * kElements * 4)[e] * at(a[1], 0)[plane];
  }
}

void addAndSum(const uint64_t *a) {
  for (uint64_t unit = 0; unit < a[9]; ++unit) {
    const int64_t image = static_cast<int64_t>(unit) / kPlanes, plane = static_cast<int64_t>(unit) % kPlanes;
    float sum = 0;
    for (int64_t e = 0; e < kElements; ++e) {
      const float value = at(a[0], image * static_cast<int64_t>(a[4]) + plane * kElements * 4)[e] + at(a[1], 0)[plane];
      at(a[2], image * static_cast<int64_t>(a[6]) + plane * kElements * 4)[e] = value;
      sum += value;
    }
    *at(a[3], image * static_cast<int64_t>(a[7]) + plane * 4) = sum;
  }
}

void countRuns(const uint64_t *a) { *at(a[0], 0) += 1; }

const int64_t planes[] = {kPlanes, kElements};
const cnn_tensor_info inputs[] = {{4, 1, 2, planes, kImage * 4}, {4, 0, 1, planes, kPlanes * 4}};
const cnn_tensor_info outputs[] = {{4, 1, 2, planes, kImage * 4}, {4, 1, 1, planes, kPlanes * 4}};
const cnn_operand tableOperands[] = {{CNN_SEGMENT_INPUT, 1, 0, 0}, {CNN_SEGMENT_FIXED, 64, 0, 0}};
const cnn_operand scaleOperands[] = {
    {CNN_SEGMENT_INPUT, 0, 0, 4}, {CNN_SEGMENT_WEIGHTS, 0, 0, 0}, {CNN_SEGMENT_WORKSPACE, 64, 32, 192}};
const cnn_operand addOperands[] = {{CNN_SEGMENT_WORKSPACE, 64, 32, 192},
                                   {CNN_SEGMENT_FIXED, 64, 0, 0},
                                   {CNN_SEGMENT_OUTPUT, 0, 0, 4},
                                   {CNN_SEGMENT_OUTPUT, 1, 0, 4}};
const cnn_operand countOperands[] = {{CNN_SEGMENT_STATE, 0, 0, 0}};
const cnn_step steps[] = {{tableOperands, 2, 1, 0, 1, 0},
                          {scaleOperands, 3, 1, 1, 1, 0},
                          {addOperands, 4, 1, 1, 1, 0},
                          {countOperands, 1, 1, 2, 1, 0}};
const char *const groups[] = {"table", "scale", "count"};

const cnn_cuda_image newest[] = {{"ptx 90a", 8, 0}}, middle[] = {{"cubin 80", 9, 1}, {"ptx 80", 7, 0}},
                     oldest[] = {{"ptx 75", 7, 0}};
const cnn_cuda_variant variants[] = {{"sm_90a", 90, 1, newest, 1, launchTable},
                                     {"sm_80", 80, 0, middle, 2, launchTable},
                                     {"sm_75", 75, 0, oldest, 1, launchTable}};

uint64_t weightsHash() {
  for (int64_t plane = 0; plane < kPlanes; ++plane)
    weights[plane] = 0.5f + static_cast<float>(plane);
  weights[kInitialState / 4] = 7;
  cnn_hash hash;
  cnn_hash_begin(&hash);
  cnn_hash_add(&hash, weights, kWeightBytes);
  return cnn_hash_end(&hash);
}

} // namespace
} // namespace network

using namespace network;

extern "C" const cnn_cuda_program cnn_this_cuda_program = {3, variants};
/// Under its name in the runtime, which never writes it: a test gives the network a state.
extern "C" cnn_network cnn_test_network __asm__("cnn_this_network");
extern "C" cnn_network cnn_test_network = {2,
                                           2,
                                           kSteps,
                                           0,
                                           inputs,
                                           outputs,
                                           steps,
                                           nullptr,
                                           4,
                                           0,
                                           64 + 256,
                                           192,
                                           0,
                                           0,
                                           0,
                                           -1,
                                           kWeightBytes,
                                           weightsHash(),
                                           reinterpret_cast<const char *>(weights),
                                           3,
                                           groups,
                                           0,
                                           kWeightBytes};

void network::install() {
  auto &kernels = stub::machine().kernels;
  kernels["table"] = {6, prepareTable};
  kernels["scale"] = {8, scale};
  kernels["add"] = {10, addAndSum};
  kernels["count"] = {4, countRuns};
  launchTable[0] = {"table", 0, kPlanes, 4, 128, 1, 1, 0};
  launchTable[1] = {"scale", kPlanes, 0, 4, 256, 1, 1, 64 * 1024};
  launchTable[2] = {"add", kPlanes, 0, 1, 32, 2, 3, 0};
  launchTable[3] = {"count", 0, 1, 1, 1, 1, 1, 0};
  cnn_test_network.step_count = kSteps;
  cnn_test_network.state_bytes = 0;
  cnn_test_network.hyper_count = 0;
  cnn_test_network.initial_state = -1;
}

void network::addState() {
  cnn_test_network.step_count = kSteps + 1;
  cnn_test_network.state_bytes = kStateBytes;
  cnn_test_network.initial_state = kInitialState;
}

cnn_cuda_launch *network::launches() { return launchTable; }

void network::expected(const float *x, const float *table, int64_t batch, float *y, float *sums) {
  for (int64_t row = 0; row < batch * kPlanes; ++row) {
    sums[row] = 0;
    for (int64_t e = 0; e < kElements; ++e) {
      y[row * kElements + e] =
          x[row * kElements + e] * (0.5f + static_cast<float>(row % kPlanes)) + (table[row % kPlanes] + 1);
      sums[row] += y[row * kElements + e];
    }
  }
}
