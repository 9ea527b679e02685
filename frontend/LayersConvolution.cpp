// Convolution and its transpose with trained or given weights, and fixed kernels applied to each channel.
#include "frontend/LayerCall.h"

#include "mlir/IR/Matchers.h"

namespace cnn {
namespace {

/// Surrounds the image with zeros or its mirror image; the padding that is left for the convolution itself is returned.
mlir::Value border(LayerCall &call, mlir::Value x, const std::string &mode, std::array<int64_t, 4> &padding) {
  if (mode == "zero" || padding == std::array<int64_t, 4>{0, 0, 0, 0})
    return x;
  auto type = call.typeOf(x);
  for (unsigned axis = 0; axis < 2; ++axis)
    if (std::max(padding[2 * axis], padding[2 * axis + 1]) >= type.getDimSize(2 + axis)) {
      call.error("a mirrored border of " + std::to_string(std::max(padding[2 * axis], padding[2 * axis + 1])) +
                 " pixels needs more than as many in the image, which is " + timesText(type.getShape().drop_front(2)));
      return {};
    }
  llvm::SmallVector<int64_t> shape(type.getShape());
  shape[2] += padding[0] + padding[1];
  shape[3] += padding[2] + padding[3];
  if (!call.checkSize(shape))
    return {};
  mlir::OpBuilder &builder = call.elaborator.builder;
  auto low = builder.getDenseI64ArrayAttr({0, 0, padding[0], padding[2]});
  auto high = builder.getDenseI64ArrayAttr({0, 0, padding[1], padding[3]});
  padding = {0, 0, 0, 0};
  return call.make<PadOp>(x, low, high, PadModeAttr::get(builder.getContext(), PadMode::Reflect),
                          builder.getF64FloatAttr(0));
}

struct Geometry {
  std::array<int64_t, 2> kernel, stride, dilation;
  int64_t groups;
};

/// What the call says; a kernel of 0x0 where it says none.
Geometry geometryOf(LayerCall &call) {
  return {call.spatial("kernel", {0, 0}, 1), call.spatial("stride", {1, 1}, 1), call.spatial("dilation", {1, 1}, 1),
          call.integer("groups", 1, 1)};
}

/// Without weights the call must say what they are; false after an error. `example` is such a call.
bool checkSaysSizes(LayerCall &call, const std::string &example) {
  if (!call.has("channels"))
    call.error("needs the number of output channels, as in " + example + ", or 'weights'");
  else if (!call.has("kernel"))
    call.error("needs the size of its kernel, as in " + example);
  return !call.failed;
}

/// The kernel is that of the weights, of rank 4; false after an error where the call says another one.
bool takeKernel(LayerCall &call, Geometry &g, mlir::RankedTensorType weights) {
  if (call.has("kernel") && (g.kernel[0] != weights.getDimSize(2) || g.kernel[1] != weights.getDimSize(3)))
    call.error(call.rangeOf("kernel"), "'kernel' is " + timesText(g.kernel) + ", the weights are " +
                                           call.elaborator.shapeText(weights.getShape()));
  g.kernel = {weights.getDimSize(2), weights.getDimSize(3)};
  return !call.failed;
}

/// Groups divide both numbers of channels; false after an error.
bool checkGroups(LayerCall &call, const Geometry &g, int64_t inputs, int64_t outputs, const std::vector<Note> &notes) {
  if (inputs % g.groups || outputs % g.groups)
    call.error(call.rangeOf("groups"),
               "'groups' is " + std::to_string(g.groups) + ", which does not divide both " + std::to_string(inputs) +
                   " input and " + std::to_string(outputs) + " output channels",
               notes);
  return !call.failed;
}

/// The result's shape, checked; empty after an error.
llvm::SmallVector<int64_t> convolved(LayerCall &call, mlir::Value x, int64_t channels, const Geometry &g,
                                     const std::array<int64_t, 4> &padding) {
  auto type = call.typeOf(x);
  llvm::SmallVector<int64_t> shape = {type.getDimSize(0), channels};
  for (unsigned axis = 0; axis < 2; ++axis) {
    auto extent = windowedExtent(type.getDimSize(2 + axis), padding[2 * axis], padding[2 * axis + 1], g.kernel[axis],
                                 g.stride[axis], g.dilation[axis]);
    if (!extent) {
      std::vector<Note> notes;
      Elaborator::addOrigin(notes, call.inputs[0].value,
                            call.elaborator.typeText(call.inputs[0].value.isTensor()
                                                         ? call.inputs[0].value.tensor().getType()
                                                         : x.getType()));
      std::string dilated = g.dilation == std::array<int64_t, 2>{1, 1} ? "" : " with dilation " + timesText(g.dilation);
      call.error("the kernel of " + timesText(g.kernel) + dilated + " does not fit the padded image of " +
                     std::to_string(type.getDimSize(2) + padding[0] + padding[1]) + "x" +
                     std::to_string(type.getDimSize(3) + padding[2] + padding[3]),
                 std::move(notes));
      return {};
    }
    shape.push_back(*extent);
  }
  int64_t perElement = type.getDimSize(1) / g.groups * g.kernel[0];
  if (!call.checkSize(shape) || !call.checkWork(shape, perElement) || !call.checkWork(shape, perElement * g.kernel[1]))
    return {};
  return shape;
}

mlir::Value convolve(LayerCall &call, mlir::Value x, mlir::Value weight, mlir::Value bias, const Geometry &g,
                     const std::array<int64_t, 4> &padding) {
  mlir::OpBuilder &builder = call.elaborator.builder;
  return call.make<Conv2dOp>(x, weight, bias, builder.getDenseI64ArrayAttr(g.stride),
                             builder.getDenseI64ArrayAttr(padding), builder.getDenseI64ArrayAttr(g.dilation),
                             builder.getI64IntegerAttr(g.groups),
                             PrecisionAttr::get(builder.getContext(), Precision::F32));
}

Value conv(LayerCall &call) {
  int64_t channels = call.integer("channels", 0, 1);
  Geometry g = geometryOf(call);
  Padding pad = call.padding("pad");
  std::string mode = call.word("border", {"zero", "reflect"}, "zero");
  InitAttr init = call.init("init", Initializer::He);
  mlir::Value weight = call.tensor("weights");
  mlir::Value x = call.input(0, 4, "an image, f32[N, C, H, W]");
  if (call.failed)
    return {};
  int64_t inputChannels = call.typeOf(x).getDimSize(1);
  if (weight) {
    auto type = call.typeOf(weight);
    std::string shape = call.elaborator.shapeText(type.getShape());
    if (type.getRank() != 4 || !type.hasStaticShape())
      return call.error(call.rangeOf("weights"), "'weights' is " + shape + ", expected [O, I/groups, kh, kw]");
    if (!takeKernel(call, g, type))
      return {};
    if (call.has("channels") && channels != type.getDimSize(0))
      return call.error(call.rangeOf("channels"),
                        "'channels' is " + std::to_string(channels) + ", the weights are " + shape);
    channels = type.getDimSize(0);
  } else if (!checkSaysSizes(call, "conv(64, kernel = 3)")) {
    return {};
  }
  std::vector<Note> notes;
  Elaborator::addOrigin(notes, call.inputs[0].value, call.elaborator.typeText(x.getType()));
  if (!checkGroups(call, g, inputChannels, channels, notes))
    return {};
  int64_t groupChannels = inputChannels / g.groups;
  if (weight && call.typeOf(weight).getDimSize(1) != groupChannels)
    return call.error(call.rangeOf("weights"),
                      "'weights' is " + call.elaborator.shapeText(call.typeOf(weight).getShape()) + ", expected [" +
                          std::to_string(channels) + ", " + std::to_string(groupChannels) + ", kh, kw] for " +
                          std::to_string(inputChannels) + " channels in " + std::to_string(g.groups) +
                          (g.groups == 1 ? " group" : " groups"),
                      std::move(notes));
  auto padding = resolvePadding(pad, call.typeOf(x).getShape().drop_front(2), g.kernel, g.stride, g.dilation);
  x = border(call, x, mode, padding);
  if (!x || convolved(call, x, channels, g, padding).empty())
    return {};
  if (!weight)
    weight = call.parameter("weight", {channels, groupChannels, g.kernel[0], g.kernel[1]}, init);
  mlir::Value bias = call.bias(channels);
  return call.failed ? Value() : call.result(convolve(call, x, weight, bias, g, padding));
}

/// The transpose of `conv`: what it makes of an image, a convolution of the same parameters makes an image of the
/// input's size of. Weights are [I, O/groups, kh, kw], as PyTorch's.
Value convTranspose(LayerCall &call) {
  int64_t channels = call.integer("channels", 0, 1);
  Geometry g = geometryOf(call);
  auto more = call.spatial("output_padding", {0, 0}, 0);
  Padding pad = call.padding("pad");
  InitAttr init = call.init("init", Initializer::He);
  mlir::Value weight = call.tensor("weights");
  mlir::Value x = call.input(0, 4, "an image, f32[N, C, H, W]");
  if (call.failed)
    return {};
  if (const CallArgument *given = call.find("pad"); given && given->value.is<Word>())
    return call.error(given->range, "'pad' is a number of pixels, [h, w] or [[top, bottom], [left, right]]");
  llvm::ArrayRef<int64_t> image = call.typeOf(x).getShape();
  std::vector<Note> notes;
  Elaborator::addOrigin(notes, call.inputs[0].value, call.elaborator.typeText(x.getType()));
  if (weight) {
    auto type = call.typeOf(weight);
    std::string shape = call.elaborator.shapeText(type.getShape());
    if (type.getRank() != 4 || !type.hasStaticShape() || type.getDimSize(0) != image[1])
      return call.error(call.rangeOf("weights"),
                        "'weights' is " + shape + ", expected [" + std::to_string(image[1]) + ", O/groups, kh, kw]",
                        std::move(notes));
    if (!takeKernel(call, g, type))
      return {};
    if (call.has("channels") && channels != type.getDimSize(1) * g.groups)
      return call.error(call.rangeOf("channels"), "'channels' is " + std::to_string(channels) + ", the weights are " +
                                                      shape + " for each of " + std::to_string(g.groups) +
                                                      (g.groups == 1 ? " group" : " groups"));
    channels = type.getDimSize(1) * g.groups;
  } else if (!checkSaysSizes(call, "conv_transpose(64, kernel = 2)")) {
    return {};
  }
  if (!checkGroups(call, g, image[1], channels, notes))
    return {};
  llvm::SmallVector<int64_t> shape = {image[0], channels};
  for (unsigned axis = 0; axis < 2; ++axis) {
    if (more[axis] >= g.stride[axis])
      return call.error(call.rangeOf("output_padding"), "'output_padding' is " + timesText(more) +
                                                            ", which must be less than the stride of " +
                                                            timesText(g.stride));
    // All are below 2^31.
    int64_t reach = (image[2 + axis] - 1) * g.stride[axis] + more[axis] + 1;
    int64_t extent = reach + g.dilation[axis] * (g.kernel[axis] - 1) - pad.pixels[2 * axis] - pad.pixels[2 * axis + 1];
    if (extent < 1)
      return call.error(call.rangeOf("pad"),
                        "'pad' takes away all of the image, which would be of size " +
                            std::to_string(extent + pad.pixels[2 * axis] + pad.pixels[2 * axis + 1]) + " along axis " +
                            std::to_string(2 + axis) + " without",
                        std::move(notes));
    shape.push_back(extent);
  }
  llvm::SmallVector<int64_t> weightShape = {image[1], channels / g.groups, g.kernel[0], g.kernel[1]};
  int64_t perElement = image[1] / g.groups * g.kernel[0];
  if (!call.checkSize(shape) || !call.checkSize(weightShape) || !call.checkWork(shape, perElement) ||
      !call.checkWork(shape, perElement * g.kernel[1]))
    return {};
  if (!windowedExtent(shape[2], pad.pixels[0], pad.pixels[1], g.kernel[0], g.stride[0], g.dilation[0]) ||
      !windowedExtent(shape[3], pad.pixels[2], pad.pixels[3], g.kernel[1], g.stride[1], g.dilation[1]))
    return call.error("the result's size is beyond what a convolution can have");
  if (!weight)
    weight = call.parameter("weight", weightShape, init);
  mlir::Value bias = call.bias(channels);
  if (call.failed)
    return {};
  mlir::OpBuilder &builder = call.elaborator.builder;
  return call.result(call.make<Conv2dTransposeOp>(
      x, weight, bias, builder.getDenseI64ArrayAttr({shape[2], shape[3]}), builder.getDenseI64ArrayAttr(g.stride),
      builder.getDenseI64ArrayAttr(pad.pixels), builder.getDenseI64ArrayAttr(g.dilation),
      builder.getI64IntegerAttr(g.groups), PrecisionAttr::get(builder.getContext(), Precision::F32)));
}

/// One kernel [kh, kw] applied to each channel alone; the image keeps its size.
Value filter(LayerCall &call) {
  mlir::Value kernel = call.tensor("kernel");
  std::string mode = call.word("border", {"zero", "reflect"}, "zero");
  mlir::Value x = call.input(0, 4, "an image, f32[N, C, H, W]");
  if (call.failed)
    return {};
  auto kernelType = call.typeOf(kernel);
  if (kernelType.getRank() != 2 || !kernelType.hasStaticShape())
    return call.error(call.rangeOf("kernel"),
                      "'kernel' is " + call.elaborator.shapeText(kernelType.getShape()) + ", expected [kh, kw]");
  int64_t channels = call.typeOf(x).getDimSize(1);
  Geometry g{{kernelType.getDimSize(0), kernelType.getDimSize(1)}, {1, 1}, {1, 1}, channels};
  auto padding = resolvePadding({Padding::Rule::SameUpper, {}}, call.typeOf(x).getShape().drop_front(2), g.kernel,
                                g.stride, g.dilation);
  x = border(call, x, mode, padding);
  llvm::SmallVector<int64_t> weightShape = {channels, 1, g.kernel[0], g.kernel[1]};
  if (!x || !call.checkSize(weightShape) || convolved(call, x, channels, g, padding).empty())
    return {};
  mlir::DenseElementsAttr given;
  mlir::Value weight;
  if (mlir::matchPattern(kernel, mlir::m_Constant(&given))) {
    // A kernel that is known repeats as a constant.
    llvm::SmallVector<float> values;
    for (int64_t c = 0; c < channels; ++c)
      llvm::append_range(values, given.getValues<float>());
    mlir::OpBuilder &builder = call.elaborator.builder;
    auto type = mlir::RankedTensorType::get(weightShape, builder.getF32Type());
    weight = ConstantOp::create(builder, call.elaborator.location(call.range), type,
                                mlir::DenseElementsAttr::get(type, llvm::ArrayRef<float>(values)));
  } else {
    weight = call.elaborator.broadcastTo(kernel, weightShape, call.range, call.path);
  }
  return call.result(convolve(call, x, weight, {}, g, padding));
}

} // namespace

llvm::ArrayRef<LayerInfo> convolutionLayers() {
  static const std::vector<LayerInfo> layers = {
      {"conv",
       1,
       1,
       {{"channels"},
        {"kernel"},
        {"stride"},
        {"pad"},
        {"dilation"},
        {"groups"},
        {"bias"},
        {"weights"},
        {"border"},
        {"init"},
        {"mean"},
        {"std"},
        {"low"},
        {"high"}},
       conv},
      {"conv_transpose",
       1,
       1,
       {{"channels"},
        {"kernel"},
        {"stride"},
        {"pad"},
        {"output_padding"},
        {"dilation"},
        {"groups"},
        {"bias"},
        {"weights"},
        {"init"},
        {"mean"},
        {"std"},
        {"low"},
        {"high"}},
       convTranspose},
      {"filter", 1, 1, {{"kernel", true}, {"border"}}, filter},
  };
  return layers;
}

} // namespace cnn
