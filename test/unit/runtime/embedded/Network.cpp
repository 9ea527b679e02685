// See Network.h.
#include "test/unit/runtime/embedded/Network.h"

#include "runtime/embedded/cnn_hash.h"

#include <chrono>
#include <cstring>
#include <thread>

namespace network {

std::atomic<int> calls, scratchCollisions, inside, mostInside;
std::atomic<int64_t> mostImages;
std::atomic<bool> meet;

static float weight(int64_t plane) { return 0.5f + static_cast<float>(plane); }
constexpr int64_t kWeightBytes = 128;

static float *at(char *base, int64_t bytes) { return reinterpret_cast<float *>(base + bytes); }

static void prepareTable(char *const *buffers, const int64_t *, int64_t, int64_t begin, int64_t end, char *) {
  for (int64_t plane = begin; plane < end; ++plane)
    at(buffers[1], 0)[plane] = at(buffers[0], 0)[plane] + 1;
}

template <typename T> static void raise(std::atomic<T> &most, T value) {
  for (T last = most; last < value && !most.compare_exchange_weak(last, value);) {
  }
}

static void scale(char *const *buffers, const int64_t *strides, int64_t batch, int64_t begin, int64_t end,
                  char *scratch) {
  ++calls;
  raise(mostImages, batch);
  raise<int>(mostInside, ++inside);
  auto start = std::chrono::steady_clock::now();
  while (meet && mostInside < 2 && std::chrono::steady_clock::now() - start < std::chrono::seconds(1))
    std::this_thread::yield();
  for (int64_t unit = begin; unit < end; ++unit) {
    int64_t image = unit / kPlanes, plane = unit % kPlanes;
    const float *x = at(buffers[0], image * strides[0] + plane * kElements * 4);
    float *y = at(buffers[2], image * strides[2] + plane * kElements * 4), *own = at(scratch, 0);
    std::memcpy(own, x, kElements * 4);
    std::this_thread::yield();
    if (std::memcmp(own, x, kElements * 4) != 0)
      ++scratchCollisions;
    for (int64_t e = 0; e < kElements; ++e)
      y[e] = own[e] * at(buffers[1], 0)[plane];
  }
  --inside;
}

static void addAndSum(char *const *buffers, const int64_t *strides, int64_t, int64_t begin, int64_t end, char *) {
  for (int64_t unit = begin; unit < end; ++unit) {
    int64_t image = unit / kPlanes, plane = unit % kPlanes;
    const float *x = at(buffers[0], image * strides[0] + plane * kElements * 4);
    float *y = at(buffers[2], image * strides[2] + plane * kElements * 4), sum = 0;
    for (int64_t e = 0; e < kElements; ++e) {
      y[e] = x[e] + at(buffers[1], 0)[plane];
      sum += y[e];
    }
    *at(buffers[3], image * strides[3] + plane * 4) = sum;
  }
}

void expected(const float *x, const float *table, int64_t batch, float *y, float *sums) {
  for (int64_t row = 0; row < batch * kPlanes; ++row) {
    sums[row] = 0;
    for (int64_t e = 0; e < kElements; ++e) {
      y[row * kElements + e] = x[row * kElements + e] * weight(row % kPlanes) + (table[row % kPlanes] + 1);
      sums[row] += y[row * kElements + e];
    }
  }
}

static std::vector<float> weights() {
  std::vector<float> values(kWeightBytes / 4);
  for (int64_t plane = 0; plane < kPlanes; ++plane)
    values[plane] = weight(plane);
  return values;
}

static uint64_t weightsHash() {
  cnn_hash hash;
  cnn_hash_begin(&hash);
  cnn_hash_add(&hash, weights().data(), kWeightBytes);
  return cnn_hash_end(&hash);
}

std::vector<char> weightsFile() {
  std::vector<char> file(CNN_WEIGHTS_HEADER_BYTES + kWeightBytes);
  cnn_weights_header header = {CNN_WEIGHTS_MAGIC, CNN_ABI_VERSION, kWeightBytes, weightsHash()};
  std::memcpy(file.data(), &header, sizeof header);
  std::memcpy(file.data() + CNN_WEIGHTS_HEADER_BYTES, weights().data(), kWeightBytes);
  return file;
}

static const int64_t planes[] = {kPlanes, kElements};
static const cnn_tensor_info inputs[] = {{4, 1, 2, planes, kImage * 4}, {4, 0, 1, planes, kPlanes * 4}};
static const cnn_tensor_info outputs[] = {{4, 1, 2, planes, kImage * 4}, {4, 1, 1, planes, kPlanes * 4}};
static const cnn_operand tableOperands[] = {{CNN_SEGMENT_INPUT, 1, 0, 0}, {CNN_SEGMENT_FIXED, 64, 0, 0}};
static const cnn_operand scaleOperands[] = {
    {CNN_SEGMENT_INPUT, 0, 0, 4}, {CNN_SEGMENT_WEIGHTS, 0, 0, 0}, {CNN_SEGMENT_WORKSPACE, 64, 32, 512}};
static const cnn_operand addOperands[] = {{CNN_SEGMENT_WORKSPACE, 64, 32, 512},
                                          {CNN_SEGMENT_FIXED, 64, 0, 0},
                                          {CNN_SEGMENT_OUTPUT, 0, 0, 4},
                                          {CNN_SEGMENT_OUTPUT, 1, 0, 4}};
// The last two go by images: where there are enough, they are a chain of three images at a time.
static const cnn_step steps[] = {
    {tableOperands, 2, 1, 0, 1, 0}, {scaleOperands, 3, 1 << 20, 1, 2, 3}, {addOperands, 4, 1 << 20, 1, 1, 0}};
static const char *const groups[] = {"table", "scale"};
static const cnn_launch launches[] = {
    {prepareTable, 0, kPlanes, 1}, {scale, kPlanes, 0, 2}, {addAndSum, kPlanes, 0, 1}};
static const cnn_variant variants[] = {{"future", 9, launches}, {"base", 1, launches}};

} // namespace network

using namespace network;
/// Under its name in the runtime, which never writes it: a test gives the network a state.
extern "C" cnn_network cnn_test_network __asm__("cnn_this_network");
extern "C" cnn_network cnn_test_network = {2,
                                           2,
                                           3,
                                           2,
                                           inputs,
                                           outputs,
                                           steps,
                                           variants,
                                           4,
                                           0,
                                           64 + 512,
                                           192,
                                           kElements * 4,
                                           0,
                                           0,
                                           -1,
                                           kWeightBytes,
                                           weightsHash(),
                                           nullptr,
                                           2,
                                           groups,
                                           0,
                                           kWeightBytes};

void network::setStateBytes(int64_t bytes) { cnn_test_network.state_bytes = bytes; }
