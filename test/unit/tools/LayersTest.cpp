// Parameters, multiply-adds and receptive fields against hand-counted networks.
#include "tools/cnnc/Layers.h"

#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace cnn;

namespace {

NetworkSummary summarizeText(mlir::MLIRContext &context, llvm::StringRef text) {
  context.loadDialect<CnnDialect, mlir::func::FuncDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  return module ? summarize(*module) : NetworkSummary();
}

TEST(Layers, FollowsStridesAndCountsSharedParametersOnce) {
  mlir::MLIRContext context;
  NetworkSummary summary = summarizeText(context, R"(
    cnn.param @"c.weight" : tensor<4x4x3x3xf32>
    cnn.statistic @"c.mean" : tensor<4xf32>
    func.func @infer(%x: tensor<?x4x16x16xf32> {cnn.input = "x"}, %w: tensor<4x4x3x3xf32> {cnn.state = @"c.weight"},
                     %m: tensor<4xf32> {cnn.state = @"c.mean"}) -> (tensor<?x64xf32> {cnn.output = "y"}) {
      %0 = cnn.conv2d %x, %w {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, path = "c"}
        : tensor<?x4x16x16xf32>, tensor<4x4x3x3xf32> -> tensor<?x4x8x8xf32>
      %1 = cnn.conv2d %0, %w {dilations = array<i64: 2, 2>, padding = array<i64: 2, 2, 2, 2>, path = "d"}
        : tensor<?x4x8x8xf32>, tensor<4x4x3x3xf32> -> tensor<?x4x8x8xf32>
      %2 = cnn.max_pool %1 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, path = "p"}
        : tensor<?x4x8x8xf32> -> tensor<?x4x4x4xf32>
      %3 = cnn.reshape %2 {shape = array<i64: -1, 64>, path = "f"} : tensor<?x4x4x4xf32> -> tensor<?x64xf32>
      return %3 : tensor<?x64xf32>
    })");
  ASSERT_EQ(summary.layers.size(), 4u);
  EXPECT_EQ(summary.parameters, 144);
  EXPECT_EQ(summary.layers[0].parameters, 144);
  EXPECT_EQ(summary.layers[1].parameters, 0);
  EXPECT_EQ(summary.multiplyAdds, 2 * 8 * 8 * 144);
  EXPECT_EQ(summary.layers[0].op, "conv2d");
  using Field = std::array<int64_t, 2>;
  EXPECT_EQ(summary.layers[0].receptiveField, (Field{3, 3}));
  EXPECT_EQ(summary.layers[1].receptiveField, (Field{11, 11}));
  EXPECT_EQ(summary.layers[2].receptiveField, (Field{13, 13}));
  EXPECT_EQ(summary.layers[3].receptiveField, (Field{25, 25}));
}

TEST(Layers, BroadcastsArePartOfWhatReadsThem) {
  mlir::MLIRContext context;
  NetworkSummary summary = summarizeText(context, R"(
    cnn.param @scale : tensor<4x1x1xf32>
    func.func @infer(%x: tensor<?x4x8x8xf32> {cnn.input = "x"}, %s: tensor<4x1x1xf32> {cnn.state = @scale})
        -> (tensor<?x4x8x8xf32> {cnn.output = "y"}) {
      %p = cnn.max_pool %x {kernel = array<i64: 8, 8>, strides = array<i64: 8, 8>, path = "p"}
        : tensor<?x4x8x8xf32> -> tensor<?x4x1x1xf32>
      %b = cnn.broadcast %s {dims = array<i64: 1, 2, 3>, shape = array<i64: -1, 4, 8, 8>, path = "m"}
        : tensor<4x1x1xf32> -> tensor<?x4x8x8xf32>
      %m = cnn.mul %x, %b {path = "m"} : tensor<?x4x8x8xf32>, tensor<?x4x8x8xf32> -> tensor<?x4x8x8xf32>
      %q = cnn.broadcast %p {dims = array<i64: 0, 1, 2, 3>, shape = array<i64: -1, 4, 8, 8>, path = "a"}
        : tensor<?x4x1x1xf32> -> tensor<?x4x8x8xf32>
      %a = cnn.add %m, %q {path = "a"} : tensor<?x4x8x8xf32>, tensor<?x4x8x8xf32> -> tensor<?x4x8x8xf32>
      return %a : tensor<?x4x8x8xf32>
    })");
  ASSERT_EQ(summary.layers.size(), 3u);
  EXPECT_EQ(summary.layers[0].op, "max_pool");
  EXPECT_EQ(summary.layers[1].op, "mul");
  EXPECT_EQ(summary.layers[1].parameters, 4);
  EXPECT_EQ(summary.layers[2].op, "add");
  EXPECT_EQ(summary.layers[2].parameters, 0);
  EXPECT_EQ(summary.layers[2].receptiveField, (std::array<int64_t, 2>{8, 8}));
}

TEST(Layers, VectorsHaveNoReceptiveField) {
  mlir::MLIRContext context;
  NetworkSummary summary = summarizeText(context, R"(
    cnn.param @"d.weight" : tensor<10x25xf32>
    cnn.param @"d.bias" : tensor<10xf32>
    func.func @infer(%x: tensor<?x25xf32> {cnn.input = "x"}, %w: tensor<10x25xf32> {cnn.state = @"d.weight"},
                     %b: tensor<10xf32> {cnn.state = @"d.bias"}) -> (tensor<?x10xf32> {cnn.output = "y"}) {
      %0 = cnn.dense %x, %w bias %b {path = "d"} : tensor<?x25xf32>, tensor<10x25xf32>, tensor<10xf32> -> tensor<?x10xf32>
      return %0 : tensor<?x10xf32>
    })");
  ASSERT_EQ(summary.layers.size(), 1u);
  EXPECT_EQ(summary.parameters, 260);
  EXPECT_EQ(summary.multiplyAdds, 250);
  EXPECT_EQ(summary.layers[0].receptiveField, std::nullopt);
}

} // namespace
