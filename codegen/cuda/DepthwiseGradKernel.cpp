// Gradients of depthwise convolutions by their weights (Kernels.h). A block of threads has a kernel row of 16 channels
// and a slice of the batch's pixels: four threads share a pixel, each has four channels and the sums of the row's taps
// in registers. The sums of a block are joined as a tree in shared memory; those of a slice go to the scratch, from
// which a second kernel adds them in order.
#include "codegen/cuda/Convolution.h"
#include "codegen/cuda/Kernels.h"

#include "codegen/cpu/CpuDialect.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cnn::cuda {

using cpu::kBlock;

static constexpr int64_t kWidth = 4, kQuarters = kBlock / kWidth;
static constexpr int64_t kMostTaps = 16;

std::string whyNotDepthwiseGrad(GroupOp group) {
  auto op = dyn_cast_or_null<Conv2dWeightGradOp>(group.getAnchor());
  if (!op || !isDepthwise(group))
    return "the anchor is no gradient of a depthwise convolution by its weights";
  if (std::string why = whyNotRead(group); !why.empty())
    return why;
  if (!isPerImage(group.getInputs()[cast<BlockArgument>(op.getGradient()).getArgNumber()]))
    return "the gradient is not summed over images";
  if (!llvm::hasSingleElement(group.getBlock().without_terminator()) || group->getNumResults() != 1)
    return "the group computes more than the gradient";
  if (!cpu::isChannelBlocked(op.getInput().getType()) || !cpu::isChannelBlocked(op.getGradient().getType()))
    return "the images are not in blocks of channels";
  if (getLayout(op.getResult().getType()))
    return "the result is not row-major";
  if (op.getKernel()[1] > kMostTaps)
    return "a row of the kernel has too many taps";
  return {};
}

/// Slices of the pixels: so many that their blocks fill a GPU, as long as a usual batch gives each some to do.
static int64_t slicesOf(const Convolution &conv) {
  constexpr int64_t kBlocksWanted = 1024, kUsualBatch = 32, kPixelsASlice = 1024, kMost = 64;
  int64_t blocks = llvm::divideCeil(conv.inputs, kBlock) * conv.y.taps;
  return std::clamp<int64_t>(std::min(kBlocksWanted / blocks, kUsualBatch * conv.pixels() / kPixelsASlice), 1, kMost);
}

/// Elements of a slice's sums: [C/16][kh][kw][16].
static int64_t sumsOf(const Convolution &conv) { return llvm::alignTo(conv.inputs, kBlock) * conv.taps(); }

int64_t depthwiseGradScratchBytes(GroupOp group) {
  Convolution conv(group.getAnchor());
  return slicesOf(conv) * sumsOf(conv) * 4;
}

namespace {

class DepthwiseGradBuilder {
public:
  DepthwiseGradBuilder(DeviceBuilder &b, GroupOp group, int64_t threads)
      : b(b), conv(group.getAnchor()), slices(slicesOf(conv)), threads(threads),
        type(VectorType::get({kWidth}, b.f32())) {}

  /// From operands 0 (input) and 1 (gradient) to 2 (scratch).
  DeviceKernel buildSums(StringRef symbol, ArrayRef<DeviceOperand> known) {
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    kernel.fixedUnits = llvm::divideCeil(conv.inputs, kBlock);
    kernel.launch.unitsPerBlock = 1;
    kernel.launch.gridY = conv.y.taps;
    kernel.launch.gridZ = slices;
    kernel.launch.blockThreads = threads;
    kernel.launch.sharedBytes = threads * conv.x.taps * kWidth * 4;
    b.deviceKernel(symbol, known, threads, [&] {
      Value thread = b.threadIndex(), block = b.blockIndex(0), row = b.blockIndex(1), slice = b.blockIndex(2);
      SmallVector<Value> sums = joined(thread, addPixels(thread, block, row, slice));
      Value kernelRow = b.add(b.mul(block, conv.y.taps), row);
      Value place = b.add(b.mul(slice, sumsOf(conv)), b.mul(kernelRow, conv.x.taps * kBlock));
      Value address = b.offset(b.buffer(2), b.mul(b.add(place, b.mul(thread, kWidth)), 4));
      b.ifThen(b.lessThan(thread, b.index(kQuarters)), [&] {
        for (auto [tap, sum] : llvm::enumerate(sums))
          b.store(sum, address, int64_t(tap) * kBlock * 4, alignmentOf(2));
      });
    });
    return kernel;
  }

  /// From operand 0 (scratch) to 1 (result), a thread an element.
  DeviceKernel buildJoin(StringRef symbol, ArrayRef<DeviceOperand> known) {
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    kernel.fixedUnits = conv.inputs * conv.taps();
    kernel.launch = b.unitKernel(symbol, known, threads, [&](Value unit) {
      Value channel = b.div(unit, conv.taps()), tap = b.rem(unit, conv.taps());
      Value place =
          b.add(b.mul(b.add(b.mul(b.div(channel, kBlock), conv.taps()), tap), kBlock), b.rem(channel, kBlock));
      Value address = b.offset(b.buffer(0), b.mul(place, 4));
      Value sum = b.forLoop(0, slices, 1, ValueRange{b.scalar(0.0f)}, [&](Value slice, ValueRange sums) {
        return SmallVector<Value>{b.addf(sums[0], b.loadScalar(b.offset(address, b.mul(slice, sumsOf(conv) * 4))))};
      })[0];
      b.store(sum, b.offset(b.buffer(1), b.mul(unit, 4)));
    });
    return kernel;
  }

private:
  unsigned alignmentOf(int64_t operand) { return b.operand(operand).alignment % (kWidth * 4) ? 4 : kWidth * 4; }
  Value zero() { return arith::ConstantOp::create(b, b.getZeroAttr(type)); }

  /// The sums of a thread's pixels of the slice, one a tap of the kernel row.
  SmallVector<Value> addPixels(Value thread, Value block, Value row, Value slice) {
    Value all = b.mul(b.batch(), conv.pixels());
    Value length = b.div(b.add(all, slices - 1), slices);
    Value from = b.mul(slice, length), to = b.min(b.add(from, length), all);
    Value lane = b.mul(b.rem(thread, kQuarters), kWidth);
    auto planeOf = [&](int64_t pixels) { return b.mul(b.add(b.mul(block, pixels * kBlock), lane), 4); };
    Value inputPlane = planeOf(conv.y.input * conv.x.input), gradientPlane = planeOf(conv.pixels());
    SmallVector<Value> zeros(conv.x.taps, zero());
    Value first = b.add(from, b.div(thread, kQuarters));
    return b.forLoop(first, to, threads / kQuarters, zeros, [&](Value number, ValueRange sums) {
      Value image = b.div(number, conv.pixels()), pixel = b.rem(number, conv.pixels());
      Value gradient = b.load(type, b.offset(b.imageOf(1, image), b.add(gradientPlane, b.mul(pixel, kBlock * 4))), 0,
                              alignmentOf(1));
      Value top = conv.startOf(b, conv.y, b.div(pixel, conv.x.output));
      Value left = conv.startOf(b, conv.x, b.rem(pixel, conv.x.output));
      auto [y, hasRow] = conv.positionOf(b, conv.y, top, row);
      Value line = b.mul(b.min(b.max(y, 0), conv.y.input - 1), conv.x.input);
      Value plane = b.offset(b.imageOf(0, image), inputPlane);
      SmallVector<Value> next;
      // What lies beside the image is read at its border and counts as zero.
      for (int64_t tap = 0; tap < conv.x.taps; ++tap) {
        int64_t lowest = tap * conv.x.dilation - conv.x.pad;
        auto [x, hasColumn] = clipInside(b, b.add(left, tap * conv.x.dilation), lowest,
                                         (conv.x.output - 1) * conv.x.stride + lowest, conv.x.input);
        Value value = b.load(type, b.offset(plane, b.mul(b.add(line, x), kBlock * 4)), 0, alignmentOf(0));
        next.push_back(b.fma(b.select(both(b, hasRow, hasColumn), value, zero()), gradient, sums[tap]));
      }
      return next;
    });
  }

  /// Joins the sums of the threads that have the same channels; the first four threads get them whole.
  SmallVector<Value> joined(Value thread, ArrayRef<Value> sums) {
    auto address = [&](Value at, int64_t tap) {
      return b.offset(b.shared(tap * threads * kWidth * 4), b.mul(at, kWidth * 4));
    };
    auto read = [&](Value at, int64_t tap) { return b.load(type, address(at, tap), 0, kWidth * 4); };
    auto write = [&](int64_t tap, Value value) { b.store(value, address(thread, tap), 0, kWidth * 4); };
    for (int64_t tap = 0; tap < conv.x.taps; ++tap)
      write(tap, sums[tap]);
    b.barrier();
    for (int64_t half = threads / 2; half >= kQuarters; half /= 2) {
      b.ifThen(b.lessThan(thread, b.index(half)), [&] {
        for (int64_t tap = 0; tap < conv.x.taps; ++tap)
          write(tap, b.addf(read(thread, tap), read(b.add(thread, half), tap)));
      });
      b.barrier();
    }
    SmallVector<Value> all;
    for (int64_t tap = 0; tap < conv.x.taps; ++tap)
      all.push_back(read(b.rem(thread, kQuarters), tap));
    return all;
  }

  DeviceBuilder &b;
  Convolution conv;
  int64_t slices, threads;
  VectorType type;
};

} // namespace

GroupKernels buildDepthwiseGradKernels(DeviceBuilder &b, StringRef symbol, GroupOp group, int64_t threads,
                                       ArrayRef<DeviceOperand> known) {
  auto op = cast<Conv2dWeightGradOp>(group.getAnchor());
  auto operandOf = [](Value value) -> int64_t { return cast<BlockArgument>(value).getArgNumber(); };
  int64_t result = group->getNumOperands(), scratch = result + 1;
  GroupKernels kernels(2);
  kernels[0].operands = {operandOf(op.getInput()), operandOf(op.getGradient()), scratch};
  kernels[1].operands = {scratch, result};
  DepthwiseGradBuilder builder(b, group, threads);
  kernels[0].kernel = builder.buildSums((symbol + "$sums").str(), knownOf(known, kernels[0].operands));
  kernels[1].kernel = builder.buildJoin(symbol, knownOf(known, kernels[1].operands));
  return kernels;
}

} // namespace cnn::cuda
