// Draws of initial state.
#include "ir/reference/InitialState.h"
#include "ir/reference/Philox.h"

#include <cmath>

using namespace mlir;

namespace cnn::reference {

static RankedTensorType typeOf(Operation *state) {
  return cast<RankedTensorType>(state->getAttrOfType<TypeAttr>("type").getValue());
}

/// The products of the kernel's extents with the other dimension of the weight.
static double fanIn(ArrayRef<int64_t> shape) { return shape.empty() ? 1 : double(elementCount(shape.drop_front())); }
static double fanOut(ArrayRef<int64_t> shape) {
  return shape.size() < 2 ? double(elementCount(shape)) : double(shape[0] * elementCount(shape.drop_front(2)));
}

InitialState::Distribution InitialState::training(Operation *state) {
  ArrayRef<int64_t> shape = typeOf(state).getShape();
  double he = std::sqrt(2 / fanIn(shape)), xavier = std::sqrt(6 / (fanIn(shape) + fanOut(shape)));
  auto init = state->getAttrOfType<InitAttr>("init");
  if (!init)
    return isa<ParamOp>(state) && shape.size() >= 2 ? Distribution{Distribution::Normal, 0, he}
                                                    : Distribution{Distribution::Constant};
  switch (init.getKind()) {
  case Initializer::Zeros:
    return {Distribution::Constant};
  case Initializer::Ones:
    return {Distribution::Constant, 1};
  case Initializer::Constant:
    return {Distribution::Constant, init.valueA()};
  case Initializer::Uniform:
    return {Distribution::Uniform, init.valueA(), init.valueB()};
  case Initializer::Normal:
    return {Distribution::Normal, init.valueA(), init.valueB()};
  case Initializer::Xavier:
    return {Distribution::Uniform, -xavier, xavier};
  case Initializer::He:
    return {Distribution::Normal, 0, he};
  case Initializer::Orthogonal:
    return {Distribution::Orthogonal};
  }
  llvm_unreachable("an unknown initializer");
}

InitialState::Distribution InitialState::random(Operation *state, OpOperand *batchNormUse) {
  ArrayRef<int64_t> shape = typeOf(state).getShape();
  auto init = state->getAttrOfType<InitAttr>("init");
  if (isa<CounterOp>(state))
    return {Distribution::Constant};
  if (batchNormUse) {
    auto norm = cast<BatchNormOp>(batchNormUse->getOwner());
    if (batchNormUse->get() == norm.getScale() || batchNormUse->get() == norm.getVariance())
      return {Distribution::Uniform, 0.8, 1.2};
    return {Distribution::Normal, 0, 0.1};
  }
  if (init && (init.getKind() == Initializer::Uniform || init.getKind() == Initializer::Normal))
    return training(state);
  double limit = shape.size() < 2 ? 0.1 : std::sqrt(6 / fanIn(shape));
  return {Distribution::Uniform, -limit, limit};
}

InitialState::InitialState(ModuleOp network, uint64_t seed, Start start, unsigned threads)
    : seed(seed), threads(threads) {
  // The batch norm that takes a variable, and as which operand.
  llvm::StringMap<OpOperand *> uses;
  for (auto function : network.getOps<func::FuncOp>())
    for (unsigned i = 0; !function.isExternal() && i < function.getNumArguments(); ++i)
      if (auto tie = function.getArgAttrOfType<FlatSymbolRefAttr>(i, kStateAttr))
        for (OpOperand &use : function.getArgument(i).getUses())
          if (isa<BatchNormOp>(use.getOwner()))
            uses[tie.getValue()] = &use;
  for (Operation &op : network.getOps())
    if (isState(&op)) {
      StringRef name = SymbolTable::getSymbolName(&op).getValue();
      Distribution from = start == Start::Random ? random(&op, uses.lookup(name)) : training(&op);
      from.elements = typeOf(&op).getNumElements();
      from.rows = typeOf(&op).getRank() ? typeOf(&op).getDimSize(0) : 1;
      variables[name] = from;
    }
}

/// Row vectors of `length`, made orthonormal in order. Where one vanishes, which has no probability, it stays zero.
static void orthonormalize(std::vector<double> &vectors, int64_t count, int64_t length) {
  auto dot = [&](const double *x, const double *y) {
    double sum = 0;
    for (int64_t i = 0; i < length; ++i)
      sum += x[i] * y[i];
    return sum;
  };
  for (int64_t row = 0; row < count; ++row) {
    double *x = vectors.data() + row * length;
    for (int pass = 0; pass < 2; ++pass)
      for (int64_t before = 0; before < row; ++before) {
        const double *y = vectors.data() + before * length;
        double share = dot(x, y);
        for (int64_t i = 0; i < length; ++i)
          x[i] -= share * y[i];
      }
    double norm = std::sqrt(dot(x, x));
    for (int64_t i = 0; i < length && norm > 0; ++i)
      x[i] /= norm;
  }
}

bool InitialState::draw(StringRef name, MutableArrayRef<float> values) const {
  auto found = variables.find(name);
  if (found == variables.end() || found->second.elements != int64_t(values.size()))
    return false;
  const Distribution &from = found->second;
  if (from.kind == Distribution::Constant) {
    std::fill(values.begin(), values.end(), float(from.a));
    return true;
  }
  Draws draws(seed, ("init:" + name).str(), 0);
  if (from.kind == Distribution::Orthogonal) {
    std::vector<double> normal(values.size());
    for (size_t i = 0; i < values.size(); ++i)
      normal[i] = toNormal(draws.words(i / 4)[i % 4]);
    int64_t rows = from.rows, columns = int64_t(values.size()) / std::max<int64_t>(rows, 1);
    // The vectors are the rows, or the columns where there are more rows.
    bool byColumns = rows > columns;
    std::vector<double> vectors = normal;
    for (int64_t r = 0; byColumns && r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        vectors[c * rows + r] = normal[r * columns + c];
    orthonormalize(vectors, std::min(rows, columns), std::max(rows, columns));
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        values[r * columns + c] = float(byColumns ? vectors[c * rows + r] : vectors[r * columns + c]);
    return true;
  }
  // Blocks of four elements, in pieces that are worth a thread.
  constexpr size_t piece = size_t(1) << 16;
  parallelFor(int64_t((values.size() + piece - 1) / piece), threads, [&](int64_t index) {
    size_t end = std::min(values.size(), (index + 1) * piece);
    for (size_t i = index * piece; i < end; i += 4) {
      PhiloxWords words = draws.words(i / 4);
      for (size_t k = 0; k < std::min<size_t>(4, end - i); ++k)
        values[i + k] = float(from.kind == Distribution::Uniform ? from.a + (from.b - from.a) * toUniform(words[k])
                                                                 : from.a + from.b * toNormal(words[k]));
    }
  });
  return true;
}

FailureOr<Tensor> InitialState::operator()(StringRef name, RankedTensorType type) const {
  std::vector<float> values(type.getNumElements());
  if (!draw(name, values))
    return failure();
  return Tensor::from<float>(type.getShape(), values);
}

} // namespace cnn::reference
