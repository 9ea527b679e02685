// See Warpgroups.h.
#include "codegen/cuda/emulator/Warpgroups.h"

#include "codegen/cuda/emulator/Block.h"

#include <bit>
#include <cstring>

using llvm::Twine;

namespace cnn::cuda::emulator {

namespace {
// Marks are NaN that arithmetic does not make: number of the sum and its version.
constexpr uint32_t kMark = 0x7fa00000, kMarkBits = 21, kNumberBits = 11;
constexpr uint32_t kSums = 1 << kNumberBits, kVersions = 1 << (kMarkBits - kNumberBits);

bool isMark(uint32_t bits) { return bits >> kMarkBits == kMark >> kMarkBits; }
uint32_t numberOf(uint32_t mark) { return mark % kSums; }
uint32_t versionOf(uint32_t mark) { return (mark >> kNumberBits) % kVersions; }

/// PTX ISA, "Shared Memory Matrix Layout" of wgmma, "Matrix Descriptor Format": offsets in units of 16 bytes.
struct Descriptor {
  uint32_t start, leading, stride, baseOffset, swizzle;

  explicit Descriptor(uint64_t bits)
      : start((bits & 0x3fff) << 4), leading((bits >> 16 & 0x3fff) << 4), stride((bits >> 32 & 0x3fff) << 4),
        baseOffset(bits >> 49 & 7), swizzle(bits >> 62) {
    // 1, 2 and 3 are 128, 64 and 32 bytes; tensor maps count the other way.
    swizzle = swizzle ? 4 - swizzle : 0;
  }
  /// Of 16 bytes along k of a row, number `half` of them. Matrices of eight rows follow each other by the stride. A row
  /// is as long as swizzling goes; without it, 16 bytes, and what follows along k lies in another matrix.
  uint32_t placeOf(int64_t row, int64_t half) const {
    const uint32_t length = 16 << swizzle;
    const auto matrix = start + static_cast<uint32_t>(row / 8) * stride + static_cast<uint32_t>(row % 8) * length;
    return swizzled(matrix + static_cast<uint32_t>(half) * (swizzle ? 16 : leading), swizzle);
  }
};

float elementOf(const char *at, WarpgroupShape::Type type) {
  if (type == WarpgroupShape::TF32) {
    uint32_t bits = 0;
    memcpy(&bits, at, 4);
    return std::bit_cast<float>(bits & 0xffffe000u);
  }
  uint16_t bits = 0;
  memcpy(&bits, at, 2);
  return type == WarpgroupShape::BF16 ? std::bit_cast<float>(uint32_t(bits) << 16)
                                      : static_cast<float>(std::bit_cast<_Float16>(bits));
}
} // namespace

void Warpgroups::reset(uint32_t warps) {
  warps_.assign(warps, Warp());
  ahead_.assign((warps + 3) / 4, {});
  number_ = 0;
}

void Warpgroups::place(Product &product, Thread &thread, const Site &site, uint64_t descriptor, int64_t rows) {
  const Descriptor described(descriptor);
  if (described.baseOffset)
    block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "a factor that begins within the pattern of its swizzling");
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t half = 0; half < 2; ++half) {
      const uint32_t offset = described.placeOf(row, half);
      block_.checkShared(thread, site, block_.sharedBegin() + offset, 16, 16);
      if (std::optional<uint16_t> writer = block_.asyncProxy().unpublished(offset, 16))
        block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
                    "reads what thread " + Twine(*writer) + " wrote at " + Twine(offset) +
                        " of shared memory with no fence.proxy.async after it");
      block_.access(thread, site, block_.sharedBegin() + offset, 16, 16, /*writes=*/false);
      block_.asyncProxy().beginRead(offset, 16);
      product.places.push_back(offset);
    }
}

void Warpgroups::multiply(Thread *const *threads, const Site &site, const WarpgroupShape &shape) {
  const auto count = static_cast<size_t>(shape.sums());
  Thread &first = *threads[0];
  // Owned by what outlives the fibre, which a fault leaves for good.
  auto &ahead = ahead_[first.warp / 4];
  ahead.push_back(std::make_shared<Product>());
  Product *made = ahead.back().get();
  made->site = &site;
  made->number = ++number_;
  made->shape = shape;
  for (int64_t i = 0; i < WarpgroupShape::kThreads; ++i) {
    Thread &thread = *threads[i];
    made->threads[i] = &thread;
    const uint64_t *arguments = thread.arguments;
    for (size_t other = count; other < count + 3; ++other)
      if (arguments[other] != first.arguments[other])
        block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "threads of a warpgroup disagree about its product");
    bool isForeign = false;
    for (size_t s = 0; s < count; ++s) {
      const auto bits = static_cast<uint32_t>(arguments[s]);
      if (thread.sums.empty())
        thread.sums.resize(kSums);
      const uint32_t number = isMark(bits) ? numberOf(bits) : thread.nextSum++ % kSums;
      WarpgroupSum &sum = thread.sums[number];
      if (!isMark(bits))
        sum.value = std::bit_cast<float>(bits);
      else if (sum.version % kVersions != versionOf(bits))
        block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "adds to a sum that another product has changed since");
      isForeign |= !isMark(bits) || sum.isTouched;
      sum.isTouched = false;
      sum.product = made->number;
      ++sum.version;
      made->sums.push_back(static_cast<uint16_t>(number));
      thread.results[s] = kMark | (sum.version % kVersions) << kNumberBits | number;
    }
    if (isForeign && !warps_[thread.warp].isFenced)
      block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
                  "other instructions used the sums, with no wgmma.fence after them");
  }
  const uint64_t *last = first.arguments + count + 3;
  if (last[0] != 1 || last[1] != 1 || (shape.type != WarpgroupShape::TF32 && (last[2] || last[3])))
    block_.fail(first, site, CUDA_ERROR_LAUNCH_FAILED, "signs and transposed factors are not emulated");
  made->isScaled = first.arguments[count + 2] != 0;
  place(*made, first, site, first.arguments[count], WarpgroupShape::kRows);
  place(*made, first, site, first.arguments[count + 1], shape.columns);
  for (uint32_t warp = first.warp; warp < first.warp + 4; ++warp)
    warps_[warp].open.push_back(ahead.back());
  if (block_.copiesNow())
    perform(*made);
}

/// With those before it, whose sums it goes on with.
void Warpgroups::perform(Product &last) {
  auto &ahead = ahead_[last.threads[0]->warp / 4];
  while (!last.isDone) {
    const std::shared_ptr<Product> product = ahead.front();
    ahead.pop_front();
    product->isDone = true;
    const int64_t columns = product->shape.columns, depth = product->shape.depth(), each = 16 / (32 / depth);
    const char *shared = reinterpret_cast<const char *>(block_.sharedBegin());
    auto element = [&](int64_t line, int64_t k) {
      return elementOf(shared + product->places[line * 2 + k / each] + k % each * (16 / each), product->shape.type);
    };
    std::vector<float> b(depth * columns);
    for (int64_t column = 0; column < columns; ++column)
      for (int64_t k = 0; k < depth; ++k)
        b[k * columns + column] = element(WarpgroupShape::kRows + column, k);
    // A thread has of each 8 columns rows g and g + 8 of its warp's 16, columns 2t and 2t + 1: PTX ISA, "Register
    // Fragments" of wgmma, "Accumulator D".
    std::vector<float> sums(columns);
    auto forRow = [&](int64_t row, auto &&act) {
      for (int64_t t = 0; t < 4; ++t) {
        const int64_t thread = row / 16 * 32 + row % 8 * 4 + t;
        const uint16_t *numbers = &product->sums[thread * product->shape.sums()];
        for (int64_t part = 0; part < columns / 8; ++part)
          for (int64_t i = 0; i < 2; ++i)
            act(product->threads[thread]->sums[numbers[part * 4 + row % 16 / 8 * 2 + i]].value,
                sums[part * 8 + 2 * t + i]);
      }
    };
    for (int64_t row = 0; row < WarpgroupShape::kRows; ++row) {
      forRow(row, [&](float value, float &sum) { sum = product->isScaled ? value : 0.0f; });
      for (int64_t k = 0; k < depth; ++k) {
        const float factor = element(row, k);
        for (int64_t column = 0; column < columns; ++column)
          sums[column] += factor * b[k * columns + column];
      }
      forRow(row, [&](float &value, float sum) { value = sum; });
    }
  }
}

void Warpgroups::commit(uint32_t warp) {
  warps_[warp].groups.push_back(std::move(warps_[warp].open));
  warps_[warp].open.clear();
}

void Warpgroups::wait(Thread &first, const Site &site, uint64_t pending) {
  Warp &warp = warps_[first.warp];
  while (warp.groups.size() > pending) {
    for (const std::shared_ptr<Product> &product : warp.groups.front()) {
      perform(*product);
      warp.completed = product->number;
      // From now on it has been read by this warp.
      for (const uint32_t offset : product->places) {
        if (product->warpsLeft == 1)
          block_.asyncProxy().endRead(offset, 16);
        block_.access(first, site, block_.sharedBegin() + offset, 16, 16, /*writes=*/false);
      }
      --product->warpsLeft;
    }
    warp.groups.pop_front();
  }
  warp.isFenced = false;
}

float Warpgroups::read(Thread &thread, const Site &site, uint32_t bits) {
  if (!isMark(bits))
    return std::bit_cast<float>(bits);
  WarpgroupSum &sum = thread.sums[numberOf(bits)];
  if (sum.version % kVersions != versionOf(bits))
    block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "uses a sum that a later product has changed");
  if (sum.product > warps_[thread.warp].completed)
    block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
                "uses a sum of a product that is under way: no wgmma.wait_group has waited for it");
  sum.isTouched = true;
  return sum.value;
}

} // namespace cnn::cuda::emulator
