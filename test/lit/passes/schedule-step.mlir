// RUN: cnn-opt --cnn-fuse --cnn-lay-out --cnn-schedule=isa=avx512 --split-input-file %s | FileCheck %s

cnn.param @w : tensor<256x256x3x3xf32>

// What a step packs has to be earned by its batch: 256 channels at 4x4 by Winograd's algorithm for 128 images, not for 8.
// CHECK-LABEL: func.func @run
// CHECK-SAME: cnn.step_batch = 128
// CHECK: cnn.winograd_weights
// CHECK: cnn.winograd_conv2d
func.func @run(%x: tensor<?x256x4x4xf32> {cnn.input = "x"}, %w: tensor<256x256x3x3xf32> {cnn.state = @w}) -> (tensor<?x256x4x4xf32> {cnn.output = "y"}) attributes {cnn.step_batch = 128 : i64} {
  %0 = cnn.conv2d %x, %w {path = "a", padding = array<i64: 1, 1, 1, 1>} : tensor<?x256x4x4xf32>, tensor<256x256x3x3xf32> -> tensor<?x256x4x4xf32>
  return %0 : tensor<?x256x4x4xf32>
}

// -----

cnn.param @w : tensor<256x256x3x3xf32>

// CHECK-LABEL: func.func @run
// CHECK-SAME: cnn.step_batch = 8
// CHECK-NOT: winograd
// CHECK: cnn.conv2d
// CHECK-NOT: winograd
func.func @run(%x: tensor<?x256x4x4xf32> {cnn.input = "x"}, %w: tensor<256x256x3x3xf32> {cnn.state = @w}) -> (tensor<?x256x4x4xf32> {cnn.output = "y"}) attributes {cnn.step_batch = 8 : i64} {
  %0 = cnn.conv2d %x, %w {path = "a", padding = array<i64: 1, 1, 1, 1>} : tensor<?x256x4x4xf32>, tensor<256x256x3x3xf32> -> tensor<?x256x4x4xf32>
  return %0 : tensor<?x256x4x4xf32>
}
