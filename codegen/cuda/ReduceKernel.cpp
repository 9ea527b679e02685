// Reductions (Kernels.h). The threads of a block are `lanes` neighbouring results by threads / lanes shares of the
// terms: results along the storage's innermost dimension where that is kept, so that neighbouring threads read
// neighbouring elements whichever dimensions are reduced. A thread adds its terms in groups of kTerms, a block joins
// its threads as a tree in shared memory. Where results are one for all images and have many terms, these are cut into
// slices: the first kernel writes a partial result of each to the scratch, a second one joins the slices in order.
#include "codegen/cuda/Kernels.h"

#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Elements.h"
#include "codegen/cpu/ReduceKernel.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;

namespace cnn::cuda {
namespace {

constexpr int64_t kTerms = 32;
/// Blocks that the slices of a group should make together, and slices at most.
constexpr int64_t kBlocksWanted = 512, kMostSlices = 64;
/// Terms that are worth a slice of their own.
constexpr int64_t kTermsASlice = 2048;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

struct Reduction {
  SmallVector<ReduceOp> ops;  ///< One a result.
  RankedTensorType full;      ///< What is reduced, in its layout.
  bool hasImages = false;     ///< Results are of images; else one for all.
  SmallVector<int64_t> order; ///< The reduced dimensions, the one whose elements lie nearest to each other last.
  SmallVector<int64_t> kept;  ///< The others, in order, without that of images.
  int64_t lanes = 1;          ///< Neighbouring results of a block, along the last of `kept` unless 1.
  int64_t slices = 1;

  bool reducesBatch() const { return llvm::is_contained(order, 0) && full.isDynamicDim(0); }
  int64_t laneBlocks() const { return kept.empty() ? 1 : llvm::divideCeil(full.getDimSize(kept.back()), lanes); }
  /// Sets of `lanes` results, of an image where there are images.
  int64_t blocks() const {
    int64_t count = laneBlocks();
    for (int64_t dim : ArrayRef(kept).drop_back(kept.empty() ? 0 : 1))
      count *= full.getDimSize(dim);
    return count;
  }
  int64_t partialBytes() const { return 4 * int64_t(ops.size()); }
};

std::optional<Reduction> analyze(GroupOp group, std::string &whyNot) {
  auto refuse = [&](const char *why) {
    whyNot = why;
    return std::nullopt;
  };
  Reduction r;
  if (whyNot = cpu::reductionsOf(group, r.ops); !whyNot.empty())
    return std::nullopt;
  for (Operation &op : group.getBlock().without_terminator())
    if (std::string why = cpu::Elements::whyNot(&op); !why.empty()) {
      whyNot = why;
      return std::nullopt;
    }
  ReduceOp first = r.ops[0];
  r.full = typeOf(first.getInput());
  // As the first input of that shape is stored.
  for (BlockArgument argument : group.getBlock().getArguments())
    if (typeOf(argument).getShape() == r.full.getShape() && !argument.use_empty()) {
      r.full = typeOf(argument);
      break;
    }
  for (Value result : group.getResults()) {
    LayoutAttr layout = getLayout(result.getType());
    if (layout && typeOf(result).getRank() != 1)
      return refuse("a result is not row-major");
    if (isPerImage(result) != isPerImage(group.getResult(0)))
      return refuse("a result is one for all images, another is not");
  }
  r.hasImages = isPerImage(group.getResult(0));
  int64_t rank = r.full.getRank();
  llvm::append_range(r.order, first.getDims());
  if (r.order.empty())
    return refuse("nothing is reduced");
  if (r.hasImages && llvm::is_contained(r.order, 0))
    return refuse("the images of a result are not those of what is reduced");
  for (int64_t dim = r.hasImages; dim < rank; ++dim)
    if (!llvm::is_contained(r.order, dim))
      r.kept.push_back(dim);
  for (int64_t dim : r.kept)
    if (r.full.isDynamicDim(dim))
      return refuse("a result has as many elements as there are images");

  LayoutAttr layout = getLayout(r.full);
  bool isBlocked = layout && layout.isChannelBlocked();
  int64_t innermost = isBlocked ? 1 : rank - 1;
  if (llvm::is_contained(r.order, innermost)) {
    llvm::erase(r.order, innermost);
    r.order.push_back(innermost);
  } else if (r.kept.back() == innermost) {
    r.lanes = isBlocked ? layout.tileSize(1) : kThreadsPerWarp;
    r.lanes = llvm::isPowerOf2_64(r.lanes) && r.lanes <= kThreadsPerWarp ? r.lanes : 1;
  }
  // In a step a batch is many images.
  int64_t terms = r.reducesBatch() ? 64 : 1;
  for (int64_t dim : r.order)
    terms *= r.full.isDynamicDim(dim) ? 1 : r.full.getDimSize(dim);
  if (!r.hasImages)
    r.slices = std::clamp<int64_t>(std::min(kBlocksWanted / r.blocks(), terms / kTermsASlice), 1, kMostSlices);
  whyNot.clear();
  return r;
}

class ReduceBuilder {
public:
  ReduceBuilder(DeviceBuilder &b, GroupOp group, Reduction reduction, int64_t threads, ArrayRef<DeviceOperand> known)
      : b(b), group(group), r(std::move(reduction)), threads(threads), known(known),
        scratch(group->getNumOperands() + group->getNumResults()) {}

  GroupKernels build(StringRef symbol) {
    GroupKernels kernels;
    bool isSliced = r.slices > 1;
    auto add = [&](const std::string &name, int64_t units, DeviceLaunch launch) {
      GroupKernel &made = kernels.emplace_back();
      made.kernel.symbol = name;
      (r.hasImages ? made.kernel.unitsPerImage : made.kernel.fixedUnits) = units;
      made.kernel.launch = launch;
      made.operands = llvm::to_vector(llvm::seq<int64_t>(0, known.size()));
    };
    std::string name = symbol.str() + (isSliced ? "$slices" : "");
    b.deviceKernel(name, known, threads, [&] { buildBlock(); });
    DeviceLaunch launch;
    launch.unitsPerBlock = 1;
    launch.blockThreads = threads;
    launch.sharedBytes = threads * r.partialBytes();
    add(name, r.blocks() * r.slices, launch);
    if (isSliced)
      add(symbol.str(), r.blocks() * r.lanes,
          b.unitKernel(symbol, known, threads, [&](Value unit) { buildJoin(unit); }));
    return kernels;
  }

private:
  Value number(double value) { return b.scalar(static_cast<float>(value)); }
  Value start(ReduceOp op) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return number(op.getKind() == ReduceKind::Max ? -infinity : op.getKind() == ReduceKind::Min ? infinity : 0);
  }
  Value join(ReduceOp op, Value x, Value y) {
    return op.getKind() == ReduceKind::Max   ? b.maxf(x, y)
           : op.getKind() == ReduceKind::Min ? b.minf(x, y)
                                             : b.addf(x, y);
  }
  SmallVector<Value> starts() {
    return llvm::map_to_vector(r.ops, [&](ReduceOp op) { return start(op); });
  }
  SmallVector<Value> joined(ValueRange x, ValueRange y) {
    SmallVector<Value> all;
    for (auto [op, a, c] : llvm::zip_equal(r.ops, x, y))
      all.push_back(join(op, a, c));
    return all;
  }
  Value extent(int64_t dim) { return r.full.isDynamicDim(dim) ? b.batch() : b.index(r.full.getDimSize(dim)); }
  Value terms() {
    Value count = b.index(1);
    for (int64_t dim : r.order)
      count = b.mul(extent(dim), count);
    return count;
  }

  /// The coordinates of result `lane` of the set of results `block` of an image, in order of `kept`.
  SmallVector<Value> resultAt(Value block, Value lane) {
    if (r.kept.empty())
      return {};
    SmallVector<Value> extents;
    for (int64_t dim : ArrayRef(r.kept).drop_back())
      extents.push_back(b.index(r.full.getDimSize(dim)));
    extents.push_back(b.index(r.laneBlocks()));
    SmallVector<Value> at = b.delinearize(block, extents);
    at.back() = b.add(b.mul(at.back(), r.lanes), lane);
    return at;
  }

  /// Every value of what is reduced at term `t` of a result.
  SmallVector<Value> termsAt(Value t, Value image, ArrayRef<Value> result) {
    SmallVector<Value> extents, index(r.full.getRank(), image);
    for (int64_t dim : r.order)
      extents.push_back(extent(dim));
    SmallVector<Value> at = b.delinearize(t, extents);
    for (auto [dim, coordinate] : llvm::zip_equal(r.order, at))
      index[dim] = coordinate;
    for (auto [dim, coordinate] : llvm::zip_equal(r.kept, result))
      index[dim] = b.min(coordinate, r.full.getDimSize(dim) - 1);
    cpu::Elements elements(b, group);
    return llvm::map_to_vector(r.ops, [&](ReduceOp op) { return elements.at(op.getInput(), index); });
  }

  /// The terms [from, to) that this thread has, `share` of `shares`.
  SmallVector<Value> addTerms(Value from, Value to, Value share, int64_t shares, Value image, ArrayRef<Value> result) {
    Value last = b.sub(terms(), 1);
    return b.forLoop(b.add(from, share), to, shares * kTerms, starts(), [&](Value begin, ValueRange totals) {
      SmallVector<Value> partials =
          b.forLoop(b.index(0), b.index(kTerms), 1, starts(), [&](Value k, ValueRange carried) {
            Value t = b.add(begin, b.mul(k, shares));
            Value exists = b.lessThan(t, to);
            SmallVector<Value> values = termsAt(b.min(t, last), image, result), next;
            for (auto [op, value, sum] : llvm::zip_equal(r.ops, values, carried))
              next.push_back(b.select(exists, join(op, sum, value), sum));
            return next;
          });
      return joined(totals, partials);
    });
  }

  /// Joins the values of the threads of a lane; what thread `lane` of the block gets back is whole.
  SmallVector<Value> joinThreads(ArrayRef<Value> values, Value thread) {
    auto place = [&](Value at, size_t number) {
      return b.offset(b.shared(int64_t(number) * threads * 4), b.mul(at, 4));
    };
    auto each = [&](Value at, ArrayRef<Value> all) {
      for (auto [number, value] : llvm::enumerate(all))
        b.store(value, place(at, number));
    };
    auto read = [&](Value at) {
      SmallVector<Value> all;
      for (size_t number = 0; number < r.ops.size(); ++number)
        all.push_back(b.load(b.f32(), place(at, number)));
      return all;
    };
    each(thread, values);
    b.barrier();
    for (int64_t half = threads / 2; half >= r.lanes; half /= 2) {
      b.ifThen(b.lessThan(thread, b.index(half)),
               [&] { each(thread, joined(read(thread), read(b.add(thread, half)))); });
      b.barrier();
    }
    return read(b.rem(thread, r.lanes));
  }

  /// A block of threads: a set of results, or a slice of its terms.
  void buildBlock() {
    Value thread = b.threadIndex(), unit = b.blockIndex();
    Value image = r.hasImages ? b.div(unit, r.blocks()) : Value();
    Value slice = r.hasImages ? b.index(0) : b.rem(unit, r.slices);
    Value block = r.hasImages ? b.rem(unit, r.blocks()) : b.div(unit, r.slices);
    Value lane = b.rem(thread, r.lanes), share = b.div(thread, r.lanes);
    SmallVector<Value> result = resultAt(block, lane);
    Value total = terms(), perSlice = b.div(b.add(total, r.slices - 1), r.slices);
    Value from = b.mul(slice, perSlice), to = b.min(b.add(from, perSlice), total);
    SmallVector<Value> sums = joinThreads(addTerms(from, to, share, threads / r.lanes, image, result), thread);
    b.ifThen(b.lessThan(thread, b.index(r.lanes)), [&] {
      if (r.slices == 1)
        return store(sums, image, result);
      Value place = b.add(b.mul(slice, r.blocks() * r.lanes), b.add(b.mul(block, r.lanes), lane));
      Value address = b.offset(b.buffer(scratch), b.mul(place, r.partialBytes()));
      for (auto [number, sum] : llvm::enumerate(sums))
        b.store(sum, address, 4 * int64_t(number));
    });
  }

  /// A thread a result: its slices in order.
  void buildJoin(Value unit) {
    SmallVector<Value> sums =
        b.forLoop(b.index(0), b.index(r.slices), 1, starts(), [&](Value slice, ValueRange carried) {
          Value place = b.add(b.mul(slice, r.blocks() * r.lanes), unit);
          Value address = b.offset(b.buffer(scratch), b.mul(place, r.partialBytes()));
          SmallVector<Value> partials;
          for (size_t number = 0; number < r.ops.size(); ++number)
            partials.push_back(b.load(b.f32(), address, 4 * int64_t(number)));
          return joined(carried, partials);
        });
    store(sums, Value(), resultAt(b.div(unit, r.lanes), b.rem(unit, r.lanes)));
  }

  /// Stores the results at `result`, or zeros in lanes that are padding.
  void store(ArrayRef<Value> sums, Value image, ArrayRef<Value> result) {
    SmallVector<Value> index;
    if (r.hasImages)
      index.push_back(image);
    llvm::append_range(index, result);
    cpu::Elements elements(b, group);
    for (auto [number, op] : llvm::enumerate(r.ops)) {
      RankedTensorType type = typeOf(group.getResult(number));
      Value value = sums[number];
      if (op.getKind() == ReduceKind::Mean)
        value = b.divf(value, arith::SIToFPOp::create(b, b.f32(), terms()));
      auto put = [&] {
        cpu::storeElements(b, type.getElementType(), value,
                           elements.address(group->getNumOperands() + number, type, index), 0);
      };
      int64_t kept = r.kept.empty() ? 1 : r.full.getDimSize(r.kept.back());
      int64_t stored = getLayout(type) ? storedElements(type, /*whole=*/true) : kept;
      if (stored > kept)
        value = b.select(b.lessThan(result.back(), b.index(kept)), value, b.scalar(0.0f));
      if (stored < r.laneBlocks() * r.lanes)
        b.ifThen(b.lessThan(result.back(), b.index(stored)), put);
      else
        put();
    }
  }

  DeviceBuilder &b;
  GroupOp group;
  Reduction r;
  int64_t threads;
  ArrayRef<DeviceOperand> known;
  int scratch;
};

} // namespace

std::string whyNotReduce(GroupOp group) {
  std::string whyNot;
  if (!isa_and_nonnull<ReduceOp>(group.getAnchor()))
    return "the group reduces nothing";
  analyze(group, whyNot);
  return whyNot;
}

int64_t reduceScratchBytes(GroupOp group) {
  std::string whyNot;
  std::optional<Reduction> r = analyze(group, whyNot);
  return r && r->slices > 1 ? r->slices * r->blocks() * r->lanes * r->partialBytes() : 0;
}

GroupKernels buildReduceKernels(DeviceBuilder &b, StringRef symbol, GroupOp group, int64_t threads,
                                ArrayRef<DeviceOperand> known) {
  std::string whyNot;
  return ReduceBuilder(b, group, *analyze(group, whyNot), threads, known).build(symbol);
}

} // namespace cnn::cuda
