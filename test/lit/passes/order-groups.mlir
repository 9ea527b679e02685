// RUN: cnn-opt --cnn-order-groups %s | FileCheck %s

// What packs a weight moves up over what goes by images; a pooling moves up over a sum over the batch that it does not read.
// CHECK-LABEL: func.func @run
// CHECK: cnn.group "flip"
// CHECK: cnn.group "relu"
// CHECK: cnn.group "conv"
// CHECK: cnn.group "pool"
// CHECK: cnn.group "sum"
module {
  cnn.param @w : tensor<4x4x3x3xf32>
  func.func @run(%x: tensor<?x4x8x8xf32> {cnn.input = "x"}, %w: tensor<4x4x3x3xf32> {cnn.state = @w})
      -> (tensor<?x4x3x3xf32> {cnn.output = "y"}, tensor<4xf32> {cnn.output = "s"}) {
    %0 = cnn.group "relu" kind "elementwise" (%a = %x : tensor<?x4x8x8xf32>) -> tensor<?x4x8x8xf32> {
      %r = cnn.relu %a : tensor<?x4x8x8xf32> -> tensor<?x4x8x8xf32>
      cnn.yield %r : tensor<?x4x8x8xf32>
    }
    %1 = cnn.group "flip" kind "generic" (%a = %w : tensor<4x4x3x3xf32>) -> tensor<4x4x3x3xf32> {
      %r = cnn.flip_kernels %a : tensor<4x4x3x3xf32> -> tensor<4x4x3x3xf32>
      cnn.yield %r : tensor<4x4x3x3xf32>
    }
    %2 = cnn.group "conv" kind "conv2d" (%a = %0 : tensor<?x4x8x8xf32>, %b = %1 : tensor<4x4x3x3xf32>) -> tensor<?x4x6x6xf32> {
      %r = cnn.conv2d %a, %b : tensor<?x4x8x8xf32>, tensor<4x4x3x3xf32> -> tensor<?x4x6x6xf32>
      cnn.yield %r : tensor<?x4x6x6xf32>
    }
    %3 = cnn.group "sum" kind "generic" (%a = %2 : tensor<?x4x6x6xf32>) -> tensor<4xf32> {
      %r = cnn.reduce %a {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 2, 3>} : tensor<?x4x6x6xf32> -> tensor<4xf32>
      cnn.yield %r : tensor<4xf32>
    }
    %4 = cnn.group "pool" kind "max_pool" (%a = %2 : tensor<?x4x6x6xf32>) -> tensor<?x4x3x3xf32> {
      %r = cnn.max_pool %a {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : tensor<?x4x6x6xf32> -> tensor<?x4x3x3xf32>
      cnn.yield %r : tensor<?x4x3x3xf32>
    }
    %5 = cnn.group "last" kind "elementwise" (%a = %4 : tensor<?x4x3x3xf32>) -> tensor<?x4x3x3xf32> {
      %r = cnn.relu %a : tensor<?x4x3x3xf32> -> tensor<?x4x3x3xf32>
      cnn.yield %r : tensor<?x4x3x3xf32>
    }
    %6 = cnn.group "scale" kind "elementwise" (%a = %3 : tensor<4xf32>) -> tensor<4xf32> {
      %r = cnn.relu %a : tensor<4xf32> -> tensor<4xf32>
      cnn.yield %r : tensor<4xf32>
    }
    return %5, %6 : tensor<?x4x3x3xf32>, tensor<4xf32>
  }
}
