// What CnnShapes.cpp and CnnOps.cpp are to the other operations, for those of CnnTrainingOps.td: the shape rules and
// the verifiers, and the table of optimizers.
#include "ir/CnnOps.h"
#include "ir/Optimizer.h"

#include <limits>

using namespace mlir;
using namespace cnn;

using Types = SmallVectorImpl<Type>;

static RankedTensorType typeOf(Value value) {
  return value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType();
}

/// Extents of dimensions but the first must be known, and none may be negative.
static LogicalResult infer(Types &types, ArrayRef<int64_t> shape, Type element) {
  SmallVector<int64_t> extents(shape);
  if (!extents.empty() && extents[0] == -1)
    extents[0] = ShapedType::kDynamic;
  for (auto [dim, extent] : llvm::enumerate(extents))
    if (ShapedType::isDynamic(extent) ? dim != 0 : extent < 0)
      return failure();
  types.push_back(RankedTensorType::get(extents, element));
  return success();
}

static bool allAtLeast(int64_t least, ArrayRef<int64_t> values) {
  return llvm::all_of(values, [&](int64_t value) { return value >= least; });
}

#define CNN_INFER(Op)                                                                                                  \
  LogicalResult Op::inferReturnTypes(MLIRContext *context, std::optional<Location> location, Adaptor adaptor,          \
                                     Types &types)

//===-- Shape ----------------------------------------------------------------------------------------------------===//

CNN_INFER(BatchSizeOp) {
  RankedTensorType type = typeOf(adaptor.getInput());
  return type ? infer(types, {}, type.getElementType()) : failure();
}
LogicalResult BatchSizeOp::verify() {
  if (typeOf(getInput()).getRank() < 1 || !isa<FloatType>(typeOf(getInput()).getElementType()))
    return emitOpError("batch_size_c1: floats with a dimension 0 are needed, not ") << getInput().getType();
  return success();
}

CNN_INFER(UnsliceOp) {
  RankedTensorType type = typeOf(adaptor.getInput());
  return type ? infer(types, adaptor.getShape(), type.getElementType()) : failure();
}
LogicalResult UnsliceOp::verify() {
  RankedTensorType from = typeOf(getInput());
  size_t rank = from.getRank();
  if (getStarts().size() != rank || getSteps().size() != rank || getShape().size() != rank)
    return emitOpError("unslice_c1: 'starts', 'steps' and 'shape' must have one entry for each of ") << rank << " axes";
  for (size_t dim = 0; dim < rank; ++dim) {
    int64_t start = getStarts()[dim], step = getSteps()[dim], extent = getShape()[dim], size = from.getDimSize(dim);
    if (from.isDynamicDim(dim) || extent == -1) {
      if (!from.isDynamicDim(dim) || start != 0 || step != 1 || extent != -1)
        return emitOpError("unslice_c3: the batch must be taken whole");
      continue;
    }
    if (step < 1 || start < 0 || (size > 0 && (start >= extent || size - 1 > (extent - 1 - start) / step)))
      return emitOpError("unslice_c2: axis ") << dim << ": " << size << " elements from " << start << " in steps of "
                                              << step << " do not lie in 0.." << extent;
  }
  return success();
}

CNN_INFER(PadGradOp) {
  RankedTensorType type = typeOf(adaptor.getInput());
  if (!type || int64_t(adaptor.getLow().size()) != type.getRank() ||
      int64_t(adaptor.getHigh().size()) != type.getRank())
    return failure();
  SmallVector<int64_t> shape(type.getShape());
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!type.isDynamicDim(dim))
      shape[dim] -= adaptor.getLow()[dim] + adaptor.getHigh()[dim];
  return infer(types, shape, type.getElementType());
}
LogicalResult PadGradOp::verify() {
  RankedTensorType from = typeOf(getInput());
  size_t rank = from.getRank();
  if (getLow().size() != rank || getHigh().size() != rank || !allAtLeast(0, getLow()) || !allAtLeast(0, getHigh()))
    return emitOpError("pad_grad_c1: 'low' and 'high' must have one entry for each of ")
           << rank << " axes, none negative";
  for (size_t dim = 0; dim < rank; ++dim) {
    int64_t low = getLow()[dim], high = getHigh()[dim];
    if (from.isDynamicDim(dim) && (low || high))
      return emitOpError("pad_grad_c3: the batch can't be padded");
    if ((low || high) && std::max(low, high) >= from.getDimSize(dim) - low - high)
      return emitOpError("pad_grad_c2: a mirrored border of axis ")
             << dim << " must be narrower than what is left of " << from.getDimSize(dim);
  }
  return success();
}

//===-- Resampling -----------------------------------------------------------------------------------------------===//

CNN_INFER(WarpOp) {
  RankedTensorType image = typeOf(adaptor.getImage());
  ArrayRef<int64_t> size = adaptor.getSize();
  if (!image || image.getRank() != 4 || size.size() != 2 || !allAtLeast(1, size))
    return failure();
  return infer(types, {image.getDimSize(0), image.getDimSize(1), size[0], size[1]}, image.getElementType());
}
LogicalResult WarpOp::verify() {
  ArrayRef<int64_t> size = getSize();
  if (size.size() != 2 || !allAtLeast(1, size))
    return emitOpError("warp_c2: 'size' must be [h, w], both at least 1");
  RankedTensorType image = typeOf(getImage()), matrix = typeOf(getMatrix()), displacement = typeOf(getDisplacement());
  Type element = image.getElementType();
  auto fits = [&](RankedTensorType type, ArrayRef<int64_t> shape) {
    return type.getElementType() == element && type.getShape() == shape;
  };
  int64_t batch = image.getRank() == 4 ? image.getDimSize(0) : 0;
  if (image.getRank() != 4 || !isa<FloatType>(element) || !fits(matrix, {batch, 2, 3}) ||
      (displacement && !fits(displacement, {batch, 2, size[0], size[1]})))
    return emitOpError(
               "warp_c1: an image [N, C, H, W], a matrix [N, 2, 3] and a displacement [N, 2, h, w] of one type of "
               "floats are needed, not ")
           << getOperandTypes();
  for (int64_t extent : image.getShape().drop_front(2))
    if (extent < 1 || extent >= int64_t(1) << 24)
      return emitOpError("warp_c3: an image of at least 1 and below 2^24 rows and columns is needed, not ") << image;
  return success();
}

//===-- Contractions ---------------------------------------------------------------------------------------------===//

CNN_INFER(Conv2dTransposeOp) {
  RankedTensorType input = typeOf(adaptor.getInput()), weight = typeOf(adaptor.getWeight());
  if (!input || !weight || input.getRank() != 4 || weight.getRank() != 4 || adaptor.getSize().size() != 2 ||
      !allAtLeast(1, adaptor.getSize()) || int64_t(adaptor.getGroups()) < 1 || weight.isDynamicDim(0))
    return failure();
  return infer(types,
               {input.getDimSize(0), weight.getDimSize(1) * int64_t(adaptor.getGroups()), adaptor.getSize()[0],
                adaptor.getSize()[1]},
               input.getElementType());
}

CNN_INFER(FlipKernelsOp) {
  RankedTensorType type = typeOf(adaptor.getWeight());
  int64_t groups = adaptor.getGroups();
  if (!type || type.getRank() != 4 || !type.hasStaticShape() || groups < 1)
    return failure();
  return infer(types,
               {type.getDimSize(1) * groups, type.getDimSize(0) / groups, type.getDimSize(2), type.getDimSize(3)},
               type.getElementType());
}
LogicalResult FlipKernelsOp::verify() {
  RankedTensorType type = typeOf(getWeight());
  int64_t groups = getGroups();
  if (type.getRank() != 4 || !type.hasStaticShape() || groups < 1 || type.getDimSize(0) % groups)
    return emitOpError("flip_kernels_c1: groups = ")
           << groups << " must divide dimension 0 of a static weight of rank 4, not " << type;
  return success();
}

/// Whether a convolution of `image` [.., H, W] with such a kernel has the extents of `result`.
template <typename Op>
static bool convolutionFits(Op op, ArrayRef<int64_t> image, ArrayRef<int64_t> kernel, ArrayRef<int64_t> result) {
  for (int axis = 0; axis < 2; ++axis)
    if (windowedExtent(image[axis], op.getPadding()[2 * axis], op.getPadding()[2 * axis + 1], kernel[axis],
                       op.getStrides()[axis], op.getDilations()[axis]) != result[axis])
      return false;
  return true;
}

template <typename Op> static bool hasWindowLists(Op op) {
  return op.getStrides().size() == 2 && op.getDilations().size() == 2 && op.getPadding().size() == 4 &&
         allAtLeast(1, op.getStrides()) && allAtLeast(1, op.getDilations()) && allAtLeast(0, op.getPadding());
}

LogicalResult Conv2dTransposeOp::verify() {
  RankedTensorType input = typeOf(getInput()), weight = typeOf(getWeight()), bias = typeOf(getBias());
  if (input.getRank() != 4 || weight.getRank() != 4 || (bias && bias.getRank() != 1))
    return emitOpError("conv2d_transpose_c1: input and weight must be of rank 4 and a bias of rank 1, not ")
           << input << " and " << weight;
  int64_t groups = getGroups(), kernels = weight.getDimSize(0);
  if (groups < 1 || kernels % groups || kernels != input.getDimSize(1))
    return emitOpError("conv2d_transpose_c2: the weight must have as many kernels as the input channels, ")
           << input.getDimSize(1) << ", a multiple of groups = " << groups << ", not " << kernels;
  if (!hasWindowLists(*this) || getSize().size() != 2)
    return emitOpError("conv2d_transpose_c3: size, strides and dilations must be two positive numbers, padding four "
                       "that are not negative");
  if (!convolutionFits(*this, getSize(), weight.getShape().drop_front(2), input.getShape().drop_front(2)))
    return emitOpError("conv2d_transpose_c4: no convolution of ")
           << getSize()[0] << "x" << getSize()[1] << " with the kernel of " << weight << " gives the extents of "
           << input;
  if (bias && bias.getDimSize(0) != weight.getDimSize(1) * groups)
    return emitOpError("conv2d_transpose_c5: the bias has ")
           << bias.getDimSize(0) << " elements for " << weight.getDimSize(1) * groups << " output channels";
  return success();
}

CNN_INFER(Conv2dWeightGradOp) {
  RankedTensorType input = typeOf(adaptor.getInput()), gradient = typeOf(adaptor.getGradient());
  int64_t groups = adaptor.getGroups();
  if (!input || !gradient || input.getRank() != 4 || gradient.getRank() != 4 || adaptor.getKernel().size() != 2 ||
      groups < 1)
    return failure();
  return infer(types,
               {gradient.getDimSize(1), input.getDimSize(1) / groups, adaptor.getKernel()[0], adaptor.getKernel()[1]},
               input.getElementType());
}
LogicalResult Conv2dWeightGradOp::verify() {
  RankedTensorType input = typeOf(getInput()), gradient = typeOf(getGradient());
  if (input.getRank() != 4 || gradient.getRank() != 4 || input.getDimSize(0) != gradient.getDimSize(0))
    return emitOpError("conv2d_weight_grad_c1: input and gradient must be of rank 4 and of one batch, not ")
           << input << " and " << gradient;
  int64_t groups = getGroups(), channels = input.getDimSize(1), outputs = gradient.getDimSize(1);
  if (groups < 1 || channels % groups || outputs % groups)
    return emitOpError("conv2d_weight_grad_c2: groups = ")
           << groups << " must divide the channels, " << channels << " in and " << outputs << " out";
  if (!hasWindowLists(*this) || getKernel().size() != 2 || !allAtLeast(1, getKernel()))
    return emitOpError("conv2d_weight_grad_c3: kernel, strides and dilations must be two positive numbers, padding "
                       "four that are not negative");
  if (!convolutionFits(*this, input.getShape().drop_front(2), getKernel(), gradient.getShape().drop_front(2)))
    return emitOpError("conv2d_weight_grad_c4: a convolution of ")
           << input << " with a kernel of " << getKernel()[0] << "x" << getKernel()[1] << " has not the extents of "
           << gradient;
  return success();
}

//===-- Pooling --------------------------------------------------------------------------------------------------===//

/// [N, C, OH, OW] of a pooling of [N, C, H, W].
template <typename Op> static std::optional<SmallVector<int64_t>> pooledShape(Op op, ArrayRef<int64_t> shape) {
  if (shape.size() != 4 || op.getKernel().size() != 2 || op.getStrides().size() != 2 || op.getPadding().size() != 4)
    return std::nullopt;
  SmallVector<int64_t> pooled(shape.take_front(2));
  for (int axis = 0; axis < 2; ++axis) {
    auto extent = windowedExtent(shape[2 + axis], op.getPadding()[2 * axis], op.getPadding()[2 * axis + 1],
                                 op.getKernel()[axis], op.getStrides()[axis], 1, op.getCeil());
    if (!extent)
      return std::nullopt;
    pooled.push_back(*extent);
  }
  return pooled;
}

/// `pool_c1` to `pool_c3` for a pooling of `image`.
template <typename Op> static FailureOr<SmallVector<int64_t>> verifyPool(Op op, RankedTensorType image) {
  if (image.getRank() != 4)
    return op.emitOpError("pool_c1: the input must be of rank 4, not ") << image;
  bool fits = op.getKernel().size() == 2 && op.getStrides().size() == 2 && op.getPadding().size() == 4 &&
              allAtLeast(1, op.getKernel()) && allAtLeast(1, op.getStrides()) && allAtLeast(0, op.getPadding());
  for (int side = 0; fits && side < 4; ++side)
    fits = op.getPadding()[side] < op.getKernel()[side / 2];
  if (!fits)
    return op.emitOpError("pool_c2: kernel and strides must be two positive numbers, padding four that are not "
                          "negative and smaller than the kernel");
  std::optional<SmallVector<int64_t>> pooled = pooledShape(op, image.getShape());
  if (!pooled)
    return op.emitOpError("pool_c3: the kernel does not fit the padded input, ") << image;
  return *pooled;
}

CNN_INFER(MaxPoolGradOp) {
  RankedTensorType type = typeOf(adaptor.getInput());
  return type ? infer(types, type.getShape(), type.getElementType()) : failure();
}
LogicalResult MaxPoolGradOp::verify() {
  auto pooled = verifyPool(*this, typeOf(getInput()));
  if (failed(pooled))
    return failure();
  if (typeOf(getValues()).getShape() != ArrayRef(*pooled))
    return emitOpError("max_pool_grad_c1: ") << typeOf(getValues()) << " has not the shape of the pooled input, "
                                             << RankedTensorType::get(*pooled, typeOf(getInput()).getElementType());
  return success();
}

CNN_INFER(MaxPoolPickOp) {
  RankedTensorType type = typeOf(adaptor.getInput());
  auto pooled = type ? pooledShape(adaptor, type.getShape()) : std::nullopt;
  return pooled ? infer(types, *pooled, type.getElementType()) : failure();
}
LogicalResult MaxPoolPickOp::verify() {
  if (failed(verifyPool(*this, typeOf(getInput()))))
    return failure();
  if (typeOf(getValues()).getShape() != typeOf(getInput()).getShape())
    return emitOpError("max_pool_pick_c1: ")
           << typeOf(getValues()) << " has not the shape of the input, " << typeOf(getInput());
  return success();
}

CNN_INFER(AvgPoolGradOp) {
  RankedTensorType type = typeOf(adaptor.getInput());
  if (!type || type.getRank() != 4 || adaptor.getSize().size() != 2 || !allAtLeast(1, adaptor.getSize()))
    return failure();
  return infer(types, {type.getDimSize(0), type.getDimSize(1), adaptor.getSize()[0], adaptor.getSize()[1]},
               type.getElementType());
}
LogicalResult AvgPoolGradOp::verify() {
  auto pooled = verifyPool(*this, typeOf(getResult()));
  if (failed(pooled))
    return failure();
  if (typeOf(getInput()).getShape() != ArrayRef(*pooled))
    return emitOpError("avg_pool_grad_c1: a pooling of ")
           << typeOf(getResult()) << " has not the extents of " << typeOf(getInput());
  return success();
}

//===-- Resizing -------------------------------------------------------------------------------------------------===//

template <typename Adaptor> static LogicalResult inferResize(Adaptor adaptor, Types &types) {
  RankedTensorType type = typeOf(adaptor.getInput());
  if (!type || type.getRank() != 4 || adaptor.getSize().size() != 2 || !allAtLeast(1, adaptor.getSize()))
    return failure();
  return infer(types, {type.getDimSize(0), type.getDimSize(1), adaptor.getSize()[0], adaptor.getSize()[1]},
               type.getElementType());
}
CNN_INFER(ResizeOp) { return inferResize(adaptor, types); }
CNN_INFER(ResizeGradOp) { return inferResize(adaptor, types); }

template <typename Op> static LogicalResult verifyResize(Op op) {
  RankedTensorType type = typeOf(op.getInput());
  if (type.getRank() != 4 || !isa<FloatType>(type.getElementType()))
    return op.emitOpError("resize_c1: the input must be of floats and of rank 4, not ") << type;
  auto isExtent = [](int64_t extent) { return extent >= 1 && extent < int64_t(1) << 30; };
  if (op.getSize().size() != 2 || !llvm::all_of(op.getSize(), isExtent) ||
      !llvm::all_of(type.getShape().drop_front(2), isExtent))
    return op.emitOpError("resize_c2: the size must be two positive numbers, and all extents below 2^30");
  if (op.getAlignCorners() && op.getMode() == ResizeMode::Nearest)
    return op.emitOpError("resize_c3: the nearest pixels know no aligned corners");
  return success();
}
LogicalResult ResizeOp::verify() { return verifyResize(*this); }
LogicalResult ResizeGradOp::verify() { return verifyResize(*this); }

//===-- Random numbers -------------------------------------------------------------------------------------------===//

CNN_INFER(RandomNormalOp) { return infer(types, adaptor.getShape(), Float32Type::get(context)); }
LogicalResult RandomNormalOp::verify() {
  for (Value scalar : {getSeed(), getStep()})
    if (typeOf(scalar).getRank() != 0 || !typeOf(scalar).getElementType().isInteger(64))
      return emitOpError("random_normal_c1: seed and step must be tensor<i64>, not ") << typeOf(scalar);
  if (!(getDeviation().convertToDouble() >= 0))
    return emitOpError("random_normal_c2: the deviation must not be negative");
  if (!getPath() || getPath()->empty())
    return emitOpError("random_normal_c3: a draw needs a path, which its numbers depend on");
  return success();
}

//===-- Optimization ---------------------------------------------------------------------------------------------===//

ArrayRef<OptimizerSetting> cnn::optimizerSettings(OptimizerKind kind) {
  static constexpr double kAny = std::numeric_limits<double>::infinity();
  // Polyak 1964; Nesterov 1983 in the form of Sutskever et al. 2013.
  static constexpr OptimizerSetting momentum[] = {{"momentum", 0.9, 0, 1}};
  // Duchi et al. 2011; the epsilon, which they leave open, is PyTorch's.
  static constexpr OptimizerSetting adagrad[] = {{"epsilon", 1e-10, 0, kAny}};
  // Zeiler 2012.
  static constexpr OptimizerSetting adadelta[] = {{"rho", 0.95, 0, 1}, {"epsilon", 1e-6, 0, kAny}};
  // Tieleman and Hinton 2012, lecture 6.5.
  static constexpr OptimizerSetting rmsprop[] = {{"rho", 0.9, 0, 1}, {"momentum", 0, 0, 1}, {"epsilon", 1e-8, 0, kAny}};
  // Kingma and Ba 2015.
  static constexpr OptimizerSetting adam[] = {{"beta1", 0.9, 0, 1}, {"beta2", 0.999, 0, 1}, {"epsilon", 1e-8, 0, kAny}};
  // Loshchilov and Hutter 2019.
  static constexpr OptimizerSetting adamw[] = {
      {"beta1", 0.9, 0, 1}, {"beta2", 0.999, 0, 1}, {"epsilon", 1e-8, 0, kAny}, {"weight_decay", 0.01, 0, kAny}};
  // Dozat 2016; the schedule of the momentum is beta1 * (1 - 0.96^(t * momentum_decay) / 2).
  static constexpr OptimizerSetting nadam[] = {
      {"beta1", 0.9, 0, 1}, {"beta2", 0.999, 0, 1}, {"epsilon", 1e-8, 0, kAny}, {"momentum_decay", 0.004, 0, kAny}};
  switch (kind) {
  case OptimizerKind::Sgd:
    return {};
  case OptimizerKind::Momentum:
  case OptimizerKind::Nesterov:
    return momentum;
  case OptimizerKind::Adagrad:
    return adagrad;
  case OptimizerKind::Adadelta:
    return adadelta;
  case OptimizerKind::RmsProp:
    return rmsprop;
  case OptimizerKind::Adam:
    return adam;
  case OptimizerKind::AdamW:
    return adamw;
  case OptimizerKind::Nadam:
    return nadam;
  }
  llvm_unreachable("an unknown optimizer");
}

double OptimizerAttr::setting(StringRef name) const {
  if (getSettings())
    if (auto given = getSettings().getAs<FloatAttr>(name))
      return given.getValueAsDouble();
  for (const OptimizerSetting &setting : optimizerSettings(getKind()))
    if (setting.name == name)
      return setting.initial;
  llvm_unreachable("the optimizer has no such setting");
}

LogicalResult OptimizerAttr::verify(function_ref<InFlightDiagnostic()> emitError, OptimizerKind kind,
                                    DictionaryAttr settings) {
  if (!settings)
    return success();
  ArrayRef<OptimizerSetting> known = optimizerSettings(kind);
  for (NamedAttribute given : settings) {
    const OptimizerSetting *setting =
        llvm::find_if(known, [&](const OptimizerSetting &setting) { return setting.name == given.getName(); });
    if (setting == known.end())
      return emitError() << "optimizer_c1: " << stringifyOptimizerKind(kind) << " has no setting '"
                         << given.getName().getValue() << "'";
    auto value = dyn_cast<FloatAttr>(given.getValue());
    if (!value || !(value.getValueAsDouble() >= setting->low && value.getValueAsDouble() < setting->high))
      return emitError() << "optimizer_c2: '" << setting->name << "' must be a number from " << setting->low
                         << " to below " << setting->high;
  }
  return success();
}

LogicalResult MinimizeOp::verify() {
  RankedTensorType loss = typeOf(getLoss());
  if (loss.getRank() != 0 || !isa<FloatType>(loss.getElementType()))
    return emitOpError("minimize_c1: the loss must be a scalar of floats, not ") << loss;
  if (!agreeButForLayout(TypeRange{getRate().getType()}, TypeRange{loss}))
    return emitOpError("minimize_c2: the rate must be of the loss's type, ") << loss << ", not " << getRate().getType();
  if (getParameters().empty() || !agreeButForLayout(getParameters().getTypes(), getUpdated().getTypes()))
    return emitOpError("minimize_c3: there must be parameters, and a result of the type of each");
  for (std::optional<APFloat> limit : {getClipValue(), getClipNorm()})
    if (limit && !(limit->convertToDouble() > 0))
      return emitOpError("minimize_c4: 'clip_value' and 'clip_norm' must be positive");
  if (!getPath() || getPath()->empty())
    return emitOpError("minimize_c5: a path is needed, which the optimizer's state is named by");
  return success();
}
