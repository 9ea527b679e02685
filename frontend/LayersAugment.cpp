// Augmentations, which change inputs of train blocks before the step. Those that move pixels give each image an affine
// map from its new positions to its old ones, and resample along it; one that follows another is composed with it, so
// that no pixel is interpolated twice.
#include "frontend/LayerCall.h"
#include "frontend/TrainElaborator.h"

#include <cmath>
#include <numbers>

namespace cnn {
namespace {

/// A number for each image, [N, 1], or one for all of them.
struct Entry {
  mlir::Value value;
  double constant = 0;

  Entry(double constant = 0) : constant(constant) {}
  Entry(mlir::Value value) : value(value) {}
};

/// (v, u) = linear part * (y, x) + translation: the rows [v by y, v by x, v at 0], [u by y, u by x, u at 0].
using AffineMap = std::array<Entry, 6>;

class Augmentation {
public:
  explicit Augmentation(LayerCall &call) : call(call), b(call.formula()) {}

  //===-- Arguments -----------------------------------------------------------------------------------------------===//

  /// Whether the inputs have pixels, of the same rows and columns; `masks` says whether labels of pixels will do.
  bool takesPixels(bool masks) {
    for (const CallArgument &input : call.inputs) {
      auto type = call.typeOf(input.value.tensor());
      bool isClass = call.training()->classesOf(input.value.tensor()) > 0;
      int64_t rank = type.getRank();
      if ((rank != 4 && rank != 3) || (isClass ? !masks : !type.getElementType().isF32())) {
        std::vector<Note> notes;
        Elaborator::addOrigin(notes, input.value, "it");
        call.error(input.range,
                   "changes " +
                       std::string(masks ? "images, f32[N, C, H, W] or f32[N, H, W], and masks of classes"
                                         : "images, f32[N, C, H, W] or f32[N, H, W]") +
                       "; met " + call.elaborator.typeText(type),
                   std::move(notes));
        return false;
      }
      if (&input == &call.inputs.front()) {
        height = type.getDimSize(rank - 2);
        width = type.getDimSize(rank - 1);
      } else if (height != type.getDimSize(rank - 2) || width != type.getDimSize(rank - 1)) {
        call.error(input.range, "the inputs that are changed alike have one height and width; met " +
                                    timesText({height, width}) + " and " + timesText(type.getShape().take_back(2)));
        return false;
      }
    }
    return true;
  }
  double within(llvm::StringRef name, double otherwise, double low, double high) {
    double value = call.number(name, otherwise);
    if (!(value >= low && value <= high))
      call.error(call.rangeOf(name), "'" + name.str() + "' is " + numberText(value) + "; it is from " +
                                         numberText(low) + " to " + numberText(high));
    return value;
  }
  /// A number d for [centre - d, centre + d], or [low, high].
  std::array<double, 2> interval(llvm::StringRef name, double centre) {
    const Value &value = call.find(name)->value;
    if (const List *list = value.get<List>();
        list && (*list)->size() == 2 && (**list)[0].isNumber() && (**list)[1].isNumber()) {
      std::array<double, 2> ends = {(**list)[0].number(), (**list)[1].number()};
      if (!(ends[0] <= ends[1]))
        call.error(call.rangeOf(name), "'" + name.str() + "' is [" + numberText(ends[0]) + ", " + numberText(ends[1]) +
                                           "]; the first is the smaller one");
      return ends;
    }
    if (!value.isNumber()) {
      call.wrong(*call.find(name), "a number or [low, high]");
      return {centre, centre};
    }
    double distance = value.number();
    if (!(distance >= 0))
      call.error(call.rangeOf(name), "'" + name.str() + "' is " + numberText(distance) + "; it is at least 0");
    return {centre - distance, centre + distance};
  }
  WarpBorder border(llvm::StringRef otherwise = "zero") {
    return *symbolizeWarpBorder(call.word("border", {"zero", "clamp", "reflect"}, otherwise));
  }
  WarpFilter filter() { return *symbolizeWarpFilter(call.word("filter", {"bilinear", "nearest"}, "bilinear")); }

  //===-- Numbers for each image ----------------------------------------------------------------------------------===//

  /// `count` uniform draws from [0, 1) for each image.
  std::vector<mlir::Value> uniform(int64_t count) {
    mlir::Value all = draw<RandomUniformOp>(count);
    std::vector<mlir::Value> columns;
    for (int64_t k = 0; k < count; ++k)
      columns.push_back(column(all, k));
    return columns;
  }
  /// [N, count]
  template <typename Op> mlir::Value draw(int64_t count) {
    // The batch is that of the block's input; what was made of it may not be needed any more.
    mlir::Value like = call.inputs[0].value.tensor();
    while (mlir::Operation *op = like.getDefiningOp())
      like = op->getOperand(0);
    TensorBuilder own = call.draws();
    return own.make<Op>({call.seed(), call.step(), like}, {b.ints("shape", {-1, count})});
  }
  mlir::Value column(mlir::Value matrix, int64_t k) {
    return b.make<SliceOp>(matrix, {b.ints("starts", {0, k}), b.ints("sizes", {-1, 1}), b.ints("steps", {1, 1})});
  }
  /// 1 with probability p, else 0.
  Entry happens(mlir::Value uniform, double p) {
    return p >= 1 ? Entry(1) : p <= 0 ? Entry(0) : Entry(b.step(b.subFrom(p, uniform)));
  }
  Entry between(mlir::Value uniform, std::array<double, 2> ends) {
    return ends[0] == ends[1] ? Entry(ends[0]) : add(mul(Entry(uniform), ends[1] - ends[0]), ends[0]);
  }
  /// One of 0, 1, ..., count - 1, each as likely: how many of the thresholds i / count the draw is not below.
  Entry integerBelow(mlir::Value uniform, int64_t count) {
    if (count <= 1)
      return {};
    std::vector<double> thresholds;
    for (int64_t i = 1; i < count; ++i)
      thresholds.push_back(double(i) / double(count));
    mlir::Value wide = b.make<BroadcastOp>(uniform, {b.ints("dims", {0, 1}), b.ints("shape", {-1, count - 1})});
    mlir::Value isBelow = b.step(b.sub(b.broadcast(constant(thresholds), {1}, wide), wide));
    mlir::Value below = b.reshape(b.sum(isBelow, {1}), {-1, 1});
    return Entry(b.subFrom(double(count - 1), below));
  }

  Entry add(const Entry &x, const Entry &y) {
    if (!x.value && !y.value)
      return x.constant + y.constant;
    if (!x.value)
      return b.add(y.value, x.constant);
    return y.value ? b.add(x.value, y.value) : b.add(x.value, y.constant);
  }
  Entry mul(const Entry &x, const Entry &y) {
    if (!x.value && !y.value)
      return x.constant * y.constant;
    if (!x.value)
      return x.constant == 0 ? Entry(0) : Entry(b.mul(y.value, x.constant));
    return y.value ? Entry(b.mul(x.value, y.value)) : mul(y, x);
  }
  Entry neg(const Entry &x) { return mul(x, -1); }
  Entry inverse(const Entry &x) { return x.value ? Entry(b.divide(1, x.value)) : Entry(1 / x.constant); }
  /// The sum of c[k] x^k, c not empty.
  Entry polynomial(const Entry &x, llvm::ArrayRef<double> c) {
    Entry sum = c.back();
    for (double next : llvm::reverse(c.drop_back()))
      sum = add(mul(sum, x), next);
    return sum;
  }
  /// Sine and cosine of an angle in degrees, from -180 to 180: by the Taylor series of the half, right to 1e-7.
  std::pair<Entry, Entry> sineAndCosine(const Entry &degrees) {
    if (!degrees.value) {
      if (std::remainder(degrees.constant, 90) == 0) {
        int quarter = (int(degrees.constant / 90) + 4) % 4;
        return {Entry(quarter == 1 ? 1 : quarter == 3 ? -1 : 0), Entry(quarter == 0 ? 1 : quarter == 2 ? -1 : 0)};
      }
      double angle = degrees.constant * std::numbers::pi / 180;
      return {Entry(std::sin(angle)), Entry(std::cos(angle))};
    }
    Entry half = mul(degrees, std::numbers::pi / 360), square = mul(half, half);
    Entry sine = mul(half, polynomial(square, {1, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800}));
    Entry cosine =
        polynomial(square, {1, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600});
    return {mul(mul(sine, cosine), 2), add(1, mul(mul(sine, sine), -2))};
  }

  mlir::Value constant(llvm::ArrayRef<double> numbers) {
    llvm::SmallVector<float> values(numbers);
    auto type = mlir::RankedTensorType::get({int64_t(values.size())}, b.builder().getF32Type());
    return ConstantOp::create(b.builder(), b.loc(), mlir::DenseElementsAttr::get(type, llvm::ArrayRef<float>(values)));
  }
  /// As [N, 1].
  mlir::Value column(const Entry &entry) {
    if (entry.value)
      return entry.value;
    mlir::Value scalar = b.reshape(constant({entry.constant}), {});
    return b.make<BroadcastOp>(scalar, {b.ints("dims", {}), b.ints("shape", {-1, 1})});
  }
  /// Repeated over the shape of `like`; `entry` is [N, 1], or [N, C] for a number a channel.
  mlir::Value over(mlir::Value entry, mlir::Value like) {
    int64_t count = TensorBuilder::typeOf(entry).getDimSize(1);
    return count == 1 ? b.broadcast(b.reshape(entry, {-1}), {0}, like) : b.broadcast(entry, {0, 1}, like);
  }

  //===-- Resampling ----------------------------------------------------------------------------------------------===//

  /// The inputs along the map, [rows, columns] of the results being `size`, and a displacement or null.
  Value warp(AffineMap map, WarpFilter filter, WarpBorder border, std::array<int64_t, 2> size,
             mlir::Value displacement = {}) {
    if (call.failed)
      return {};
    std::vector<Value> results;
    for (const CallArgument &input : call.inputs)
      results.push_back(call.result(warp(input.value.tensor(), map, filter, border, size, displacement)));
    return together(std::move(results));
  }
  Value warp(const AffineMap &map, WarpFilter filter, WarpBorder border) {
    return warp(map, filter, border, {height, width});
  }
  Value unchanged() {
    std::vector<Value> inputs;
    for (const CallArgument &input : call.inputs)
      inputs.push_back(input.value);
    return together(std::move(inputs));
  }
  Value together(std::vector<Value> results) {
    if (results.size() == 1)
      return results.front();
    return Value(Tuple(std::make_shared<TupleData>(TupleData{std::move(results), {}})), call.range);
  }

  LayerCall &call;
  TensorBuilder b;
  int64_t height = 0, width = 0;

private:
  mlir::Value warp(mlir::Value input, AffineMap map, WarpFilter filter, WarpBorder border, std::array<int64_t, 2> size,
                   mlir::Value displacement) {
    auto type = TensorBuilder::typeOf(input);
    bool isClass = call.training()->classesOf(input) > 0;
    if (isClass)
      filter = WarpFilter::Nearest;
    mlir::Value image;
    if (WarpOp before = displacement ? WarpOp() : warpOf(input); before && before.getBorder() == border) {
      image = before.getImage();
      map = compose(entriesOf(before), map);
      if (!isClass && before.getFilter() == WarpFilter::Bilinear)
        filter = WarpFilter::Bilinear;
    } else {
      image = b.convert(input, b.builder().getF32Type());
      if (type.getRank() == 3)
        image = b.reshape(image, {-1, 1, type.getDimSize(1), type.getDimSize(2)});
    }
    llvm::SmallVector<mlir::Value> columns;
    for (const Entry &entry : map)
      columns.push_back(column(entry));
    llvm::SmallVector<mlir::Value> operands = {
        image, b.reshape(b.make<ConcatOp>(columns, {b.integer("axis", 1)}), {-1, 2, 3})};
    if (displacement)
      operands.push_back(displacement);
    mlir::MLIRContext *context = b.builder().getContext();
    mlir::Value result = b.make<WarpOp>(
        operands, {b.ints("size", size), b.builder().getNamedAttr("filter", WarpFilterAttr::get(context, filter)),
                   b.builder().getNamedAttr("border", WarpBorderAttr::get(context, border))});
    if (type.getRank() == 3)
      result = b.reshape(result, {-1, size[0], size[1]});
    return b.convert(result, type.getElementType());
  }

  /// The warp along a map alone that made a value, with what was done to it as a mask; null where there is none.
  static WarpOp warpOf(mlir::Value value) {
    while (mlir::Operation *op = value.getDefiningOp()) {
      if (auto warp = llvm::dyn_cast<WarpOp>(op))
        return warp.getDisplacement() ? WarpOp() : warp;
      if (!llvm::isa<ConvertOp, ReshapeOp>(op))
        break;
      value = op->getOperand(0);
    }
    return {};
  }
  static AffineMap entriesOf(WarpOp warp) {
    auto columns = warp.getMatrix().getDefiningOp()->getOperand(0).getDefiningOp<ConcatOp>();
    AffineMap map;
    for (auto [entry, value] : llvm::zip(map, columns.getInputs()))
      entry = Entry(value);
    return map;
  }
  /// outer(inner(position))
  AffineMap compose(const AffineMap &outer, const AffineMap &inner) {
    AffineMap map;
    for (int row : {0, 3})
      for (int k = 0; k < 3; ++k) {
        map[row + k] = add(mul(outer[row], inner[k]), mul(outer[row + 1], inner[3 + k]));
        if (k == 2)
          map[row + k] = add(map[row + k], outer[row + 2]);
      }
    return map;
  }
};

//===-- Geometry -------------------------------------------------------------------------------------------------===//

Value flip(LayerCall &call) {
  Augmentation a(call);
  bool isVertical = call.word("axis", {"horizontal", "vertical"}, "horizontal") == "vertical";
  double p = a.within("p", 0.5, 0, 1);
  if (!a.takesPixels(/*masks=*/true) || call.failed)
    return {};
  Entry mirrored = a.happens(a.uniform(1)[0], p), sign = a.add(1, a.mul(mirrored, -2));
  if (isVertical)
    return a.warp({sign, 0, a.mul(mirrored, double(a.height - 1)), 0, 1, 0}, WarpFilter::Nearest, WarpBorder::Zero);
  return a.warp({1, 0, 0, 0, sign, a.mul(mirrored, double(a.width - 1))}, WarpFilter::Nearest, WarpBorder::Zero);
}

Value shift(LayerCall &call) {
  Augmentation a(call);
  std::array<int64_t, 2> most = call.spatial("pixels", {0, 0}, 0);
  WarpBorder border = a.border();
  if (!a.takesPixels(/*masks=*/true) || call.failed)
    return {};
  auto draws = a.uniform(2);
  std::array<Entry, 2> by;
  for (int axis = 0; axis < 2; ++axis)
    by[axis] = a.add(a.integerBelow(draws[axis], 2 * most[axis] + 1), -double(most[axis]));
  return a.warp({1, 0, by[0], 0, 1, by[1]}, WarpFilter::Nearest, border);
}

/// What random_crop takes from where: from the centre in an evaluation.
Value crop(LayerCall &call, bool isRandom) {
  Augmentation a(call);
  std::array<int64_t, 2> pad = call.spatial("pad", {0, 0}, 0);
  WarpBorder border = a.border();
  if (!a.takesPixels(/*masks=*/true))
    return {};
  std::array<int64_t, 2> extents = {a.height, a.width}, size = call.spatial("size", extents, 1), room;
  for (int axis = 0; axis < 2; ++axis) {
    room[axis] = extents[axis] + 2 * pad[axis] - size[axis];
    if (!call.failed && room[axis] < 0)
      call.error("a part of " + timesText(size) + " does not fit the image, " + timesText(extents) +
                 (pad[0] || pad[1] ? ", with " + timesText(pad) + " pixels around it" : std::string()));
  }
  // A report compares scores with the masks that the data has.
  if (!call.failed && size != extents)
    for (const CallArgument &input : call.inputs)
      if (call.training()->classesOf(input.value.tensor()))
        call.error(input.range,
                   "a mask keeps its height and width; met a part of " + timesText(size) + " of " + timesText(extents));
  if (call.failed)
    return {};
  std::array<Entry, 2> from;
  std::vector<mlir::Value> draws;
  if (isRandom)
    draws = a.uniform(2);
  else if (size == extents)
    return a.unchanged();
  for (int axis = 0; axis < 2; ++axis) {
    int64_t middle = room[axis] / 2 - pad[axis];
    from[axis] = isRandom ? a.add(a.integerBelow(draws[axis], room[axis] + 1), -double(pad[axis])) : double(middle);
  }
  return a.warp({1, 0, from[0], 0, 1, from[1]}, WarpFilter::Nearest, border, size);
}
Value randomCrop(LayerCall &call) { return crop(call, /*isRandom=*/true); }
Value centreCrop(LayerCall &call) { return crop(call, /*isRandom=*/false); }

Value rotate(LayerCall &call) {
  Augmentation a(call);
  std::array<double, 2> degrees = a.interval("degrees", 0);
  if (!call.failed && !(degrees[0] >= -180 && degrees[1] <= 180))
    call.error(call.rangeOf("degrees"), "'degrees' are from -180 to 180");
  WarpBorder border = a.border();
  WarpFilter filter = a.filter();
  if (!a.takesPixels(/*masks=*/true) || call.failed)
    return {};
  auto [sine, cosine] = a.sineAndCosine(a.between(a.uniform(1)[0], degrees));
  double cy = double(a.height - 1) / 2, cx = double(a.width - 1) / 2;
  // Around the centre, counterclockwise as one looks at the picture, whose rows run downwards.
  Entry fixedRow = a.add(cy, a.add(a.mul(cosine, -cy), a.mul(sine, -cx)));
  Entry fixedColumn = a.add(cx, a.add(a.mul(sine, cy), a.mul(cosine, -cx)));
  return a.warp({cosine, sine, fixedRow, a.neg(sine), cosine, fixedColumn}, filter, border);
}

Value scale(LayerCall &call) {
  Augmentation a(call);
  std::array<double, 2> factors = a.interval("amount", 1);
  if (!call.failed && !(factors[0] > 0))
    call.error(call.rangeOf("amount"), "the factors are from " + numberText(factors[0]) + " to " +
                                           numberText(factors[1]) + "; they are above 0");
  WarpBorder border = a.border();
  WarpFilter filter = a.filter();
  if (!a.takesPixels(/*masks=*/true) || call.failed)
    return {};
  Entry inverse = a.inverse(a.between(a.uniform(1)[0], factors)), rest = a.add(1, a.neg(inverse));
  return a.warp({inverse, 0, a.mul(rest, double(a.height - 1) / 2), 0, inverse, a.mul(rest, double(a.width - 1) / 2)},
                filter, border);
}

/// The weights of `points` values, evenly spread from the first of `extent` positions to the last, at each position:
/// cubic convolution (Keys 1981), with the values at the ends repeated beyond.
std::vector<std::vector<double>> cubicWeights(int64_t points, int64_t extent) {
  std::vector<std::vector<double>> weights(points, std::vector<double>(extent, 0));
  for (int64_t i = 0; i < extent; ++i) {
    double place = extent > 1 ? double(i) * double(points - 1) / double(extent - 1) : 0;
    auto first = int64_t(std::floor(place));
    for (int64_t k = first - 1; k <= first + 2; ++k) {
      double d = std::fabs(place - double(k));
      double weight = d <= 1 ? (1.5 * d - 2.5) * d * d + 1 : d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
      weights[std::clamp<int64_t>(k, 0, points - 1)][i] += weight;
    }
  }
  return weights;
}

/// Ronneberger et al. 2015: normal displacements on a coarse grid, interpolated bicubically.
Value elastic(LayerCall &call) {
  Augmentation a(call);
  double deviation = call.number("deviation", 0);
  if (!(deviation >= 0))
    call.error(call.rangeOf("deviation"), "'deviation' is " + numberText(deviation) + "; it is at least 0");
  int64_t grid = call.integer("grid", 3, 2, 16);
  WarpBorder border = a.border("reflect");
  WarpFilter filter = a.filter();
  if (!a.takesPixels(/*masks=*/true) || call.failed)
    return {};
  TensorBuilder &b = a.b;
  mlir::Value draws = b.mul(a.draw<RandomNormalOp>(2 * grid * grid), deviation);
  mlir::Value points = b.reshape(draws, {-1, 2, grid, grid});
  auto rows = cubicWeights(grid, a.height), columns = cubicWeights(grid, a.width);
  mlir::Value displacement;
  for (int64_t i = 0; i < grid; ++i) {
    mlir::Value row;
    for (int64_t j = 0; j < grid; ++j) {
      mlir::Value point = b.make<SliceOp>(
          points, {b.ints("starts", {0, 0, i, j}), b.ints("sizes", {-1, 2, 1, 1}), b.ints("steps", {1, 1, 1, 1})});
      mlir::Value wide =
          b.make<BroadcastOp>(b.reshape(point, {-1, 2}), {b.ints("dims", {0, 1}), b.ints("shape", {-1, 2, a.width})});
      mlir::Value term = b.mul(wide, b.broadcast(a.constant(columns[j]), {2}, wide));
      row = row ? b.add(row, term) : term;
    }
    mlir::Value tall =
        b.make<BroadcastOp>(row, {b.ints("dims", {0, 1, 3}), b.ints("shape", {-1, 2, a.height, a.width})});
    mlir::Value term = b.mul(tall, b.broadcast(a.constant(rows[i]), {2}, tall));
    displacement = displacement ? b.add(displacement, term) : term;
  }
  return a.warp({1, 0, 0, 0, 1, 0}, filter, border, {a.height, a.width}, displacement);
}

//===-- Pixels ---------------------------------------------------------------------------------------------------===//

Value colour(LayerCall &call) {
  Augmentation a(call);
  if (!call.has("contrast") && !call.has("brightness"))
    return call.error("needs 'contrast', 'brightness' or both");
  std::array<double, 2> factors = {1, 1}, offsets = {0, 0};
  if (call.has("contrast"))
    factors = a.interval("contrast", 1);
  if (call.has("brightness"))
    offsets = a.interval("brightness", 0);
  bool perChannel = call.boolean("per_channel", false);
  if (!a.takesPixels(/*masks=*/false) || call.failed)
    return {};
  int64_t channels = 1;
  for (const CallArgument &input : call.inputs) {
    auto type = call.typeOf(input.value.tensor());
    int64_t own = type.getRank() == 4 ? type.getDimSize(1) : 1;
    if (perChannel && &input != &call.inputs.front() && own != channels)
      return call.error(input.range, "inputs that are changed alike for each channel have the same number of them");
    channels = perChannel ? own : 1;
  }
  mlir::Value draws = a.draw<RandomUniformOp>(2 * channels);
  auto part = [&](int64_t first, std::array<double, 2> ends) {
    TensorBuilder &b = a.b;
    mlir::Value uniform = b.make<SliceOp>(
        draws, {b.ints("starts", {0, first}), b.ints("sizes", {-1, channels}), b.ints("steps", {1, 1})});
    return b.add(b.mul(uniform, ends[1] - ends[0]), ends[0]);
  };
  mlir::Value factor = part(0, factors), offset = part(channels, offsets);
  std::vector<Value> results;
  for (const CallArgument &input : call.inputs) {
    mlir::Value x = input.value.tensor();
    results.push_back(call.result(a.b.add(a.b.mul(x, a.over(factor, x)), a.over(offset, x))));
  }
  return a.together(std::move(results));
}

/// DeVries and Taylor 2017: a rectangle around a random place, of which a part may lie outside of the image.
Value cutout(LayerCall &call) {
  Augmentation a(call);
  std::array<int64_t, 2> size = call.spatial("size", {1, 1}, 1);
  double p = a.within("p", 1, 0, 1), value = call.number("value", 0);
  if (!a.takesPixels(/*masks=*/false) || call.failed)
    return {};
  TensorBuilder &b = a.b;
  auto draws = a.uniform(3);
  std::array<int64_t, 2> extents = {a.height, a.width};
  std::array<mlir::Value, 2> isNear;
  for (int axis = 0; axis < 2; ++axis) {
    std::vector<double> centres;
    for (int64_t i = 0; i < extents[axis]; ++i)
      centres.push_back(double(i) + 0.5);
    mlir::Value middle = b.make<BroadcastOp>(b.mul(draws[axis], double(extents[axis])),
                                             {b.ints("dims", {0, 1}), b.ints("shape", {-1, extents[axis]})});
    mlir::Value distance = b.abs(b.sub(b.broadcast(a.constant(centres), {1}, middle), middle));
    isNear[axis] = b.step(b.subFrom(double(size[axis]) / 2, distance));
  }
  mlir::Value happens = a.column(a.happens(draws[2], p));
  isNear[0] =
      b.mul(isNear[0], b.make<BroadcastOp>(happens, {b.ints("dims", {0, 1}), b.ints("shape", {-1, extents[0]})}));
  std::vector<Value> results;
  for (const CallArgument &input : call.inputs) {
    mlir::Value x = input.value.tensor();
    int64_t rank = call.typeOf(x).getRank();
    mlir::Value cut = b.mul(b.broadcast(isNear[0], {0, rank - 2}, x), b.broadcast(isNear[1], {0, rank - 1}, x));
    mlir::Value kept = b.mul(x, b.subFrom(1, cut));
    results.push_back(call.result(value == 0 ? kept : b.add(kept, b.mul(cut, value))));
  }
  return a.together(std::move(results));
}

LayerInfo augmentation(llvm::StringRef name, std::vector<LayerParameter> parameters, Value (*build)(LayerCall &),
                       Value (*evaluate)(LayerCall &) = nullptr) {
  return {name, 1, kAnyNumber, std::move(parameters), build, nullptr, /*isAugmentation=*/true, evaluate};
}

} // namespace

llvm::ArrayRef<LayerInfo> augmentationLayers() {
  static const std::vector<LayerInfo> layers = {
      augmentation("flip", {{"axis"}, {"p"}}, flip),
      augmentation("shift", {{"pixels", true}, {"border"}}, shift),
      augmentation("random_crop", {{"size"}, {"pad"}, {"border"}}, randomCrop, centreCrop),
      augmentation("rotate", {{"degrees", true}, {"border"}, {"filter"}}, rotate),
      augmentation("scale", {{"amount", true}, {"border"}, {"filter"}}, scale),
      augmentation("elastic", {{"deviation", true}, {"grid"}, {"border"}, {"filter"}}, elastic),
      augmentation("colour", {{"contrast"}, {"brightness"}, {"per_channel"}}, colour),
      augmentation("cutout", {{"size", true}, {"p"}, {"value"}}, cutout),
  };
  return layers;
}

} // namespace cnn
