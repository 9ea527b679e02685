// Pooling by maximum and mean, and images of another size.
#include "frontend/LayerCall.h"

namespace cnn {
namespace {

template <typename Op> Value pool(LayerCall &call) {
  auto kernel = call.spatial("kernel", {0, 0}, 1), stride = call.spatial("stride", kernel, 1);
  Padding pad = call.padding("pad");
  bool ceil = call.boolean("ceil", false), countPad = call.boolean("count_pad", false);
  mlir::Value x = call.input(0, 4, "an image, f32[N, C, H, W]");
  if (call.failed)
    return {};
  auto type = call.typeOf(x);
  auto padding = resolvePadding(pad, type.getShape().drop_front(2), kernel, stride, {1, 1});
  std::vector<Note> notes;
  Elaborator::addOrigin(notes, call.inputs[0].value, call.elaborator.typeText(type));
  llvm::SmallVector<int64_t> shape = {type.getDimSize(0), type.getDimSize(1)};
  for (unsigned axis = 0; axis < 2; ++axis) {
    for (unsigned side = 0; side < 2; ++side)
      if (padding[2 * axis + side] >= kernel[axis])
        return call.error(call.rangeOf("pad"), "'pad' is " + std::to_string(padding[2 * axis + side]) +
                                                   ", which must be less than the kernel of " + timesText(kernel));
    auto extent = windowedExtent(type.getDimSize(2 + axis), padding[2 * axis], padding[2 * axis + 1], kernel[axis],
                                 stride[axis], 1, ceil);
    if (!extent)
      return call.error("the kernel of " + timesText(kernel) + " does not fit the padded image of " +
                            std::to_string(type.getDimSize(2) + padding[0] + padding[1]) + "x" +
                            std::to_string(type.getDimSize(3) + padding[2] + padding[3]),
                        std::move(notes));
    shape.push_back(*extent);
  }
  if (!call.checkSize(shape) || !call.checkWork(shape, kernel[0] * kernel[1]))
    return {};
  mlir::OpBuilder &builder = call.elaborator.builder;
  return call.result(call.make<Op>(x, builder.getDenseI64ArrayAttr(kernel), builder.getDenseI64ArrayAttr(stride),
                                   builder.getDenseI64ArrayAttr(padding), builder.getBoolAttr(ceil),
                                   builder.getBoolAttr(countPad)));
}

/// The mean of each channel, [N, C, 1, 1].
Value globalAvgPool(LayerCall &call) {
  mlir::Value x = call.input(0, 4, "an image, f32[N, C, H, W]");
  if (!x)
    return {};
  mlir::OpBuilder &builder = call.elaborator.builder;
  auto window = builder.getDenseI64ArrayAttr(call.typeOf(x).getShape().drop_front(2));
  return call.result(call.make<AvgPoolOp>(x, window, window, builder.getDenseI64ArrayAttr({0, 0, 0, 0}),
                                          builder.getBoolAttr(false), builder.getBoolAttr(false)));
}

/// An image of another size, as PyTorch's `interpolate`.
Value upsample(LayerCall &call) {
  auto scale = call.spatial("scale", {1, 1}, 1), size = call.spatial("size", {1, 1}, 1);
  bool isBilinear = call.word("mode", {"nearest", "bilinear"}, "nearest") == "bilinear";
  bool alignCorners = call.boolean("align_corners", false);
  mlir::Value x = call.input(0, 4, "an image, f32[N, C, H, W]");
  if (call.failed)
    return {};
  if (call.has("scale") == call.has("size"))
    return call.error("needs one of a factor, as in upsample(2), and a size, as in upsample(size = [h, w])");
  if (alignCorners && !isBilinear)
    return call.error(call.rangeOf("align_corners"), "'align_corners' goes with mode = bilinear");
  auto type = call.typeOf(x);
  llvm::SmallVector<int64_t> shape(type.getShape());
  for (unsigned axis = 0; axis < 2; ++axis)
    shape[2 + axis] = call.has("size") ? size[axis] : shape[2 + axis] * scale[axis];
  if (!call.checkSize(shape))
    return {};
  constexpr int64_t limit = int64_t(1) << 30;
  if (std::max({shape[2], shape[3], type.getDimSize(2), type.getDimSize(3)}) >= limit)
    return call.error("heights and widths of resized images are below 2^30");
  mlir::OpBuilder &builder = call.elaborator.builder;
  auto mode = ResizeModeAttr::get(builder.getContext(), isBilinear ? ResizeMode::Bilinear : ResizeMode::Nearest);
  return call.result(call.make<ResizeOp>(x, builder.getDenseI64ArrayAttr({shape[2], shape[3]}), mode,
                                         builder.getBoolAttr(alignCorners)));
}

} // namespace

llvm::ArrayRef<LayerInfo> poolLayers() {
  static const std::vector<LayerInfo> layers = {
      {"max_pool", 1, 1, {{"kernel", true}, {"stride"}, {"pad"}, {"ceil"}}, pool<MaxPoolOp>},
      {"avg_pool", 1, 1, {{"kernel", true}, {"stride"}, {"pad"}, {"ceil"}, {"count_pad"}}, pool<AvgPoolOp>},
      {"upsample", 1, 1, {{"scale"}, {"size"}, {"mode"}, {"align_corners"}}, upsample},
      {"global_avg_pool", 1, 1, {}, globalAvgPool},
  };
  return layers;
}

} // namespace cnn
