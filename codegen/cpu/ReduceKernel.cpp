// See ReduceKernel.h.
#include "codegen/cpu/ReduceKernel.h"

#include "codegen/cpu/CpuDialect.h"
#include "codegen/cpu/Prologue.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>
#include <numeric>

using namespace mlir;

namespace cnn::cpu {
namespace {

/// Vectors summed by one accumulator before the sum joins the others, and accumulators.
constexpr int64_t kTerms = 32, kAccumulators = 4;
/// Blocks of 16 columns of a unit of the form `columns`.
constexpr int64_t kColumnBlocks = 4;

enum class Form { Channels, Columns, Scalar, ImageChannels, ImageScalar };

struct Reduction {
  Form form;
  RankedTensorType full; ///< What is reduced, in its layout.
  bool hasImages;
  SmallVector<ReduceOp> ops; ///< One a result.

  bool isBlocked() const { return isChannelBlocked(full); }
  /// Rows of outputs: lanes are channels, as in blocks.
  bool isRows() const { return hasImages && full.getRank() == 2; }
  EpilogueEmitter::Lanes lanes() const {
    return isBlocked() || isRows() ? EpilogueEmitter::Lanes::Channels : EpilogueEmitter::Lanes::Elements;
  }
  int64_t channels() const { return full.getDimSize(1); }
  int64_t blocks() const { return llvm::divideCeil(channels(), kBlock); }
  int64_t pixels() const {
    ArrayRef<int64_t> extents = full.getShape().drop_front(2);
    return std::accumulate(extents.begin(), extents.end(), int64_t(1), std::multiplies<>());
  }
  SmallVector<Value> inputs() const {
    return llvm::map_to_vector(ops, [](ReduceOp op) -> Value { return op.getInput(); });
  }
  /// Vectors of partial results of one slice and reduction.
  int64_t partials() const { return form == Form::Channels ? blocks() : 1; }
};

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

std::optional<Reduction> analyze(GroupOp group, std::string &whyNot) {
  auto refuse = [&](const char *why) {
    whyNot = why;
    return std::nullopt;
  };
  Reduction r;
  if (whyNot = reductionsOf(group, r.ops); !whyNot.empty())
    return std::nullopt;
  for (ReduceOp op : r.ops)
    if (!typeOf(op.getInput()).getElementType().isF32())
      return refuse("a reduction is not of f32");
  // As the first input of that shape is stored.
  ReduceOp first = r.ops[0];
  auto shape = typeOf(first.getInput()).getShape();
  for (auto [argument, input] : llvm::zip(group.getBlock().getArguments(), group.getInputs()))
    if (auto type = typeOf(argument); type.getShape() == shape && !argument.use_empty()) {
      r.full = RankedTensorType::get(shape, Float32Type::get(group.getContext()), type.getEncoding());
      r.hasImages = isPerImage(input);
      break;
    }
  if (!r.full)
    return refuse("no input has the shape of what is reduced");
  bool isRowMajor = !getLayout(r.full);
  int64_t rank = r.full.getRank();
  if (!isRowMajor && !r.isBlocked())
    return refuse("the input is neither row-major nor in blocks of channels");

  SmallVector<int64_t> dims(first.getDims());
  auto areDims = [&](int64_t from) { return dims == llvm::to_vector(llvm::seq<int64_t>(from, rank)); };
  bool overPixels = r.isBlocked() && rank == 4;
  if (areDims(0) && (r.hasImages ? rank > 1 : rank > 0 && isRowMajor))
    r.form = Form::Scalar;
  else if (overPixels && r.hasImages && dims == ArrayRef<int64_t>{0, 2, 3})
    r.form = Form::Channels;
  else if (overPixels && r.hasImages && dims == ArrayRef<int64_t>{2, 3})
    r.form = Form::ImageChannels;
  else if (r.isRows() && dims == ArrayRef<int64_t>{0})
    r.form = Form::Columns;
  else if (r.hasImages && rank > 1 && areDims(1))
    r.form = Form::ImageScalar;
  else
    return refuse("no kernel for these dimensions in this layout");

  for (Type type : group.getResultTypes()) {
    LayoutAttr layout = getLayout(type);
    bool isVector = r.form == Form::Channels || r.form == Form::Columns;
    if (layout && !(isVector && layout == LayoutAttr::tiled(group.getContext(), 1, {0}, {kBlock})))
      return refuse("a result is not row-major");
  }
  whyNot = Prologue::whyNot(group, r.inputs(), r.full);
  if (!whyNot.empty())
    return std::nullopt;
  if (r.lanes() == EpilogueEmitter::Lanes::Elements && Prologue(group, r.inputs(), r.full, r.lanes()).usesChannels())
    return refuse("one value a channel with planes of pixels");
  return r;
}

class ReduceBuilder {
public:
  ReduceBuilder(KernelBuilder &b, GroupOp group, Reduction r)
      : b(b), group(group), r(std::move(r)), prologue(group, this->r.inputs(), this->r.full, this->r.lanes()) {}

  SmallVector<KernelInfo> build(StringRef symbol) {
    int inputs = group->getNumOperands(), results = group->getNumResults();
    switch (r.form) {
    case Form::Channels:
    case Form::Scalar:
      return {kernel((symbol + ".sum").str(), inputs + 1, kReduceSlices * r.partials(), 0,
                     [&](Value unit) { buildSlice(unit); }),
              kernel(symbol, 1 + results, r.partials(), 0, [&](Value unit) { buildFinish(unit); })};
    case Form::Columns: {
      int64_t width = r.blocks() % kColumnBlocks ? 1 : kColumnBlocks;
      return {kernel(symbol, inputs + results, r.blocks() / width, 0, [&](Value unit) { buildColumns(unit, width); })};
    }
    case Form::ImageChannels:
      return {kernel(symbol, inputs + results, 0, r.blocks(), [&](Value unit) {
        SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(r.blocks())});
        SmallVector<Value> totals = addBlock(at[0], at[1], start());
        for (auto [number, total] : llvm::enumerate(totals))
          storeChannels(b.imageOf(inputs + number, at[0]), at[1], finish(number, total, b.index(r.pixels())), false);
      })};
    case Form::ImageScalar:
      return {kernel(symbol, inputs + results, 0, 1, [&](Value image) {
        SmallVector<Value> totals = addImage(image, start());
        for (auto [number, total] : llvm::enumerate(totals)) {
          Value value = finish(number, join(number, total), b.index(r.channels() * r.pixels()));
          b.store(value, b.imageOf(inputs + number, image));
        }
      })};
    }
    return {};
  }

private:
  using Values = SmallVector<Value>;

  KernelInfo kernel(StringRef symbol, int operands, int64_t fixedUnits, int64_t unitsPerImage,
                    llvm::function_ref<void(Value unit)> body) {
    b.kernel(symbol, operands, [&] { b.forUnits(body); });
    KernelInfo info;
    info.symbol = symbol.str();
    info.fixedUnits = fixedUnits;
    info.unitsPerImage = unitsPerImage;
    return info;
  }

  float identity(size_t number) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    ReduceKind kind = r.ops[number].getKind();
    return kind == ReduceKind::Max ? -infinity : kind == ReduceKind::Min ? infinity : 0.0f;
  }
  Value combine(size_t number, Value x, Value y) {
    ReduceKind kind = r.ops[number].getKind();
    return kind == ReduceKind::Max ? b.maxf(x, y) : kind == ReduceKind::Min ? b.minf(x, y) : b.addf(x, y);
  }
  Values combine(ValueRange xs, ValueRange ys) {
    Values all;
    for (auto [number, x] : llvm::enumerate(xs))
      all.push_back(combine(number, x, ys[number]));
    return all;
  }
  Values start() {
    Values all;
    for (size_t number = 0; number < r.ops.size(); ++number)
      all.push_back(b.splat(identity(number)));
    return all;
  }
  Value join(size_t number, Value lanes) {
    return joinLanes(b, lanes, [&](Value x, Value y) { return combine(number, x, y); });
  }
  /// The mean of `count` values, or what was reduced.
  Value finish(size_t number, Value value, Value count) {
    if (r.ops[number].getKind() != ReduceKind::Mean)
      return value;
    Value divisor = arith::SIToFPOp::create(b, b.f32(), count);
    return b.divf(value, isa<VectorType>(value.getType()) ? b.splat(divisor) : divisor);
  }

  /// Where lanes that are no channels are left out of what `mask` excludes.
  Values emit(const EpilogueEmitter::Position &at, Value mask) {
    Values values = prologue.emit(b, at);
    for (auto [number, value] : llvm::enumerate(values))
      if (mask)
        value = arith::SelectOp::create(b, mask, value, b.splat(identity(number)));
    return values;
  }

  /// `totals` with the vectors [from, to) of the images' elements from number `base` on.
  Values addRun(ArrayRef<Value> images, Value base, Value from, Value to, Value channel, Value mask, Values totals) {
    size_t count = r.ops.size();
    EpilogueEmitter::Position at;
    at.images = images;
    at.channel = channel;
    auto vector = [&](Value first, int64_t number) {
      at.bytes = b.mul(b.add(base, b.mul(first, kBlock)), 4);
      at.displacement = number * kBlock * 4;
      return emit(at, mask);
    };
    Value quads = b.div(b.sub(to, from), kAccumulators), single = b.add(from, b.mul(quads, kAccumulators));
    totals = b.forLoop(b.index(0), quads, kTerms, totals, [&](Value chunk, ValueRange totals) {
      Values sums;
      for (int64_t k = 0; k < kAccumulators; ++k)
        llvm::append_range(sums, start());
      sums = b.forLoop(chunk, b.min(b.add(chunk, kTerms), quads), 1, sums, [&](Value quad, ValueRange sums) {
        Values next;
        for (int64_t k = 0; k < kAccumulators; ++k)
          llvm::append_range(next,
                             combine(sums.slice(k * count, count), vector(b.add(from, b.mul(quad, kAccumulators)), k)));
        return next;
      });
      ValueRange all(sums);
      Values low = combine(all.slice(0, count), all.slice(count, count));
      Values high = combine(all.slice(2 * count, count), all.slice(3 * count, count));
      return combine(totals, combine(low, high));
    });
    return b.forLoop(single, to, 1, totals,
                     [&](Value place, ValueRange totals) { return combine(totals, vector(place, 0)); });
  }

  Value maskOf(Value channel) {
    return r.channels() % kBlock ? lanesBelow(b, b.sub(b.index(r.channels()), channel), kBlock) : Value();
  }

  /// `totals` with one block of channels of an image.
  Values addBlock(Value image, Value block, const Values &totals) {
    Value channel = b.mul(block, kBlock);
    return addRun(prologue.images(b, image), b.mul(block, r.pixels() * kBlock), b.index(0), b.index(r.pixels()),
                  channel, maskOf(channel), totals);
  }

  /// `totals` with all elements of an image.
  Values addImage(Value image, const Values &totals) {
    if (r.isBlocked())
      return b.forLoop(0, r.blocks(), 1, totals,
                       [&](Value block, ValueRange totals) { return addBlock(image, block, Values(totals)); });
    Values images = prologue.images(b, image);
    if (!r.isRows()) {
      int64_t elements = r.channels() * r.pixels();
      Values sums = addRun(images, b.index(0), b.index(0), b.index(elements / kBlock), nullptr, nullptr, totals);
      return addTail(images, elements / kBlock * kBlock, elements, sums);
    }
    return b.forLoop(0, r.channels(), kBlock, totals, [&](Value channel, ValueRange totals) {
      EpilogueEmitter::Position at;
      at.images = images;
      at.bytes = b.mul(channel, 4);
      at.channel = channel;
      return combine(totals, emit(at, maskOf(channel)));
    });
  }

  /// `totals` with the elements [from, to), one by one in the first lane.
  Values addTail(ArrayRef<Value> images, int64_t from, int64_t to, const Values &totals) {
    if (from == to)
      return totals;
    Values sums;
    for (size_t number = 0; number < totals.size(); ++number)
      sums.push_back(b.scalar(identity(number)));
    sums = b.forLoop(b.index(from), b.index(to), 1, sums, [&](Value element, ValueRange sums) {
      EpilogueEmitter::Position at;
      at.images = images;
      at.bytes = b.mul(element, 4);
      at.width = 1;
      return combine(sums, prologue.emit(b, at));
    });
    Values next;
    for (auto [number, sum] : llvm::enumerate(sums))
      next.push_back(
          combine(number, totals[number], vector::InsertOp::create(b, sum, b.splat(identity(number)), int64_t(0))));
    return next;
  }

  /// Operand `scratch` is [slice][reduction][partial][16].
  Value partialOf(Value scratch, Value slice, size_t number, Value partial) {
    Value place = b.add(b.mul(b.add(b.mul(slice, int64_t(r.ops.size())), int64_t(number)), r.partials()), partial);
    return b.offset(scratch, b.mul(place, kBlock * 4));
  }

  void buildSlice(Value unit) {
    SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(r.partials())});
    Value slice = at[0], partial = at[1];
    // The part of `extent` that belongs to the slice.
    auto part = [&](Value extent, Value slice) { return b.div(b.mul(extent, slice), kReduceSlices); };
    auto bounds = [&](Value extent) { return std::pair(part(extent, slice), part(extent, b.add(slice, 1))); };
    Values totals = start();
    if (r.hasImages) {
      auto [from, to] = bounds(b.batch());
      totals = b.forLoop(from, to, 1, totals, [&](Value image, ValueRange totals) {
        return r.form == Form::Channels ? addBlock(image, partial, Values(totals)) : addImage(image, Values(totals));
      });
    } else {
      int64_t elements = r.full.getNumElements();
      Values images = prologue.images(b, b.index(0));
      auto [from, to] = bounds(b.index(elements / kBlock));
      totals = addRun(images, b.index(0), from, to, nullptr, nullptr, totals);
      // What is left belongs to the last slice; the others take nothing of it.
      if (int64_t whole = elements / kBlock * kBlock; whole < elements) {
        Values last = addTail(images, whole, elements, totals);
        Value isLast = b.equal(slice, b.index(kReduceSlices - 1));
        for (auto [number, total] : llvm::enumerate(totals))
          total = b.select(isLast, last[number], total);
      }
    }
    for (auto [number, total] : llvm::enumerate(totals))
      b.storeBlock(total, partialOf(b.buffer(group->getNumOperands()), slice, number, partial));
  }

  void buildFinish(Value partial) {
    for (size_t number = 0; number < r.ops.size(); ++number) {
      Values sums;
      for (int64_t slice = 0; slice < kReduceSlices; ++slice)
        sums.push_back(b.loadBlock(partialOf(b.buffer(0), b.index(slice), number, partial)));
      for (; sums.size() > 1; sums.resize(sums.size() / 2))
        for (size_t k = 0; k < sums.size() / 2; ++k)
          sums[k] = combine(number, sums[2 * k], sums[2 * k + 1]);
      if (r.form == Form::Channels) {
        Value mean = finish(number, sums[0], b.mul(b.batch(), r.pixels()));
        storeChannels(b.buffer(1 + number), partial, mean, isPadded(number));
        continue;
      }
      Value count = r.hasImages ? b.mul(b.batch(), r.channels() * r.pixels()) : b.index(r.full.getNumElements());
      b.store(finish(number, join(number, sums[0]), count), b.buffer(1 + number));
    }
  }

  void buildColumns(Value unit, int64_t width) {
    Value first = b.mul(unit, width * kBlock);
    auto empty = [&] {
      Values sums;
      for (int64_t k = 0; k < width; ++k)
        llvm::append_range(sums, start());
      return sums;
    };
    size_t count = r.ops.size();
    auto add = [&](ValueRange sums, llvm::function_ref<Values(int64_t k)> terms) {
      Values next;
      for (int64_t k = 0; k < width; ++k)
        llvm::append_range(next, combine(sums.slice(k * count, count), terms(k)));
      return next;
    };
    Values totals = b.forLoop(b.index(0), b.batch(), kTerms, empty(), [&](Value chunk, ValueRange totals) {
      Values sums =
          b.forLoop(chunk, b.min(b.add(chunk, kTerms), b.batch()), 1, empty(), [&](Value image, ValueRange sums) {
            Values images = prologue.images(b, image);
            return add(sums, [&](int64_t k) {
              EpilogueEmitter::Position at;
              at.images = images;
              at.channel = b.add(first, k * kBlock);
              at.bytes = b.mul(first, 4);
              at.displacement = k * kBlock * 4;
              return emit(at, maskOf(at.channel));
            });
          });
      return add(totals, [&](int64_t k) { return Values(ValueRange(sums).slice(k * count, count)); });
    });
    for (int64_t k = 0; k < width; ++k)
      for (size_t number = 0; number < count; ++number) {
        Value mean = finish(number, totals[k * count + number], b.batch());
        storeChannels(b.buffer(group->getNumOperands() + number), b.add(b.mul(unit, width), k), mean, isPadded(number));
      }
  }

  bool isPadded(size_t number) { return static_cast<bool>(getLayout(group.getResult(number).getType())); }

  /// Stores one block of a vector of channels; zeros after them where the vector is in whole blocks.
  void storeChannels(Value address, Value block, Value value, bool padded) {
    Value mask = maskOf(b.mul(block, kBlock)), to = b.offset(address, b.mul(block, kBlock * 4));
    if (mask && padded)
      value = arith::SelectOp::create(b, mask, value, b.splat(0.0f));
    storeElements(b, b.f32(), value, to, 0, padded ? Value() : mask);
  }

  KernelBuilder &b;
  GroupOp group;
  Reduction r;
  Prologue prologue;
};

} // namespace

std::string reductionsOf(GroupOp group, SmallVectorImpl<ReduceOp> &reductions) {
  for (Value value : group.getYield().getValues()) {
    auto op = value.getDefiningOp<ReduceOp>();
    if (!op)
      return "a result is no reduction";
    if (!reductions.empty() && (op.getDims() != reductions[0].getDims() ||
                                typeOf(op.getInput()).getShape() != typeOf(reductions[0].getInput()).getShape()))
      return "reductions over different dimensions";
    reductions.push_back(op);
  }
  return {};
}

std::string whyNotReduce(GroupOp group) {
  std::string whyNot;
  (void)analyze(group, whyNot);
  return whyNot;
}

int64_t reduceScratchBytes(GroupOp group) {
  std::string whyNot;
  std::optional<Reduction> r = analyze(group, whyNot);
  if (!r || (r->form != Form::Channels && r->form != Form::Scalar))
    return 0;
  return kReduceSlices * static_cast<int64_t>(r->ops.size()) * r->partials() * kBlock * 4;
}

SmallVector<KernelInfo> buildReduceKernels(KernelBuilder &b, StringRef symbol, GroupOp group) {
  std::string whyNot;
  std::optional<Reduction> r = analyze(group, whyNot);
  return ReduceBuilder(b, group, *r).build(symbol);
}

} // namespace cnn::cpu
