// RUN: cnn-opt %s | cnn-opt | FileCheck %s

// CHECK-LABEL: module @net
module @net {
  // CHECK: cnn.param @c1.weight : tensor<16x3x3x3xf32> init <he> from "0.weight"
  cnn.param @c1.weight : tensor<16x3x3x3xf32> init #cnn.init<he> from "0.weight"
  // CHECK: cnn.param @"layer 1" : tensor<4xf32> init <uniform, a = -1.000000e+00 : f64, b = 1.000000e+00 : f64>
  cnn.param @"layer 1" : tensor<4xf32> init #cnn.init<uniform, a = -1.0, b = 1.0>
  // CHECK: cnn.statistic @bn.mean : tensor<16xf32>
  cnn.statistic @bn.mean : tensor<16xf32>
  // CHECK: cnn.slot @momentum : tensor<16xf32> init <zeros>
  cnn.slot @momentum : tensor<16xf32> init #cnn.init<zeros>
  // CHECK: cnn.counter @step : tensor<i64>
  cnn.counter @step : tensor<i64>

  // CHECK-LABEL: func.func @infer
  // CHECK-SAME: {cnn.input = "image", cnn.preprocess = ["resize"]}
  // CHECK-SAME: {cnn.state = @c1.weight}
  // CHECK-SAME: {cnn.output = "scores"}
  func.func @infer(%x: tensor<?x3x8x8xf32> {cnn.input = "image", cnn.preprocess = ["resize"]},
                   %w: tensor<16x3x3x3xf32> {cnn.state = @c1.weight}) -> (tensor<?x16x6x6xf32> {cnn.output = "scores"}) {
    // CHECK: cnn.group "c1" kind "conv2d" (%[[A:.*]] = %{{.*}} : tensor<?x3x8x8xf32>, %[[B:.*]] = %{{.*}} : tensor<16x3x3x3xf32>) -> tensor<?x16x6x6xf32>
    // CHECK-SAME: attributes {elided, notes = ["why"], placements = [#cnn.placement<segment = workspace, offset = 64, slice = 16, imageStride = 128>]} {
    %0 = cnn.group "c1" kind "conv2d" (%a = %x : tensor<?x3x8x8xf32>, %b = %w : tensor<16x3x3x3xf32>) -> tensor<?x16x6x6xf32>
        attributes {elided, notes = ["why"], placements = [#cnn.placement<segment = workspace, offset = 64, slice = 16, imageStride = 128>]} {
      // CHECK-NEXT: cnn.conv2d %[[A]], %[[B]]
      %1 = cnn.conv2d %a, %b : tensor<?x3x8x8xf32>, tensor<16x3x3x3xf32> -> tensor<?x16x6x6xf32>
      // CHECK-NEXT: cnn.yield
      cnn.yield %1 : tensor<?x16x6x6xf32>
    }
    return %0 : tensor<?x16x6x6xf32>
  }

  // CHECK-LABEL: func.func @run
  // CHECK-SAME: {cnn.packed = 0 : i64}
  func.func @run(%w: tensor<16x3x3x3xf32, #cnn.layout<outer = [3, 2, 0, 1], inner = [1 : 16, 0 : 16]>> {cnn.packed = 0 : i64}) -> tensor<16x3x3x3xf32> {
    // CHECK: cnn.relayout
    %0 = cnn.relayout %w : tensor<16x3x3x3xf32, #cnn.layout<outer = [3, 2, 0, 1], inner = [1 : 16, 0 : 16]>> -> tensor<16x3x3x3xf32>
    // CHECK: cnn.constant dense<1.000000e+00> : tensor<2xf32>
    %1 = cnn.constant dense<1.0> : tensor<2xf32>
    return %0 : tensor<16x3x3x3xf32>
  }
}
