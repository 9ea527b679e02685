// Pooling by maximum and mean.
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

} // namespace

llvm::ArrayRef<LayerInfo> poolLayers() {
  static const std::vector<LayerInfo> layers = {
      {"max_pool", 1, 1, {{"kernel", true}, {"stride"}, {"pad"}, {"ceil"}}, pool<MaxPoolOp>},
      {"avg_pool", 1, 1, {{"kernel", true}, {"stride"}, {"pad"}, {"ceil"}, {"count_pad"}}, pool<AvgPoolOp>},
      {"global_avg_pool", 1, 1, {}, globalAvgPool},
  };
  return layers;
}

} // namespace cnn
