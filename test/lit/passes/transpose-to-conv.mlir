// RUN: cnn-opt --cnn-transpose-to-conv --split-input-file %s | FileCheck %s

// The gradient of a convolution with padding 1 by its input is a convolution with padding 1; without padding it is one
// with all of the kernel's reach.
// CHECK-LABEL: @infer
// CHECK: %[[W:.*]] = cnn.flip_kernels %arg1 {path = "up"} : tensor<8x4x3x3xf32> -> tensor<4x8x3x3xf32>
// CHECK: cnn.conv2d %arg0, %[[W]] bias %arg2 {padding = array<i64: 1, 1, 1, 1>, path = "up"}
// CHECK: cnn.flip_kernels %arg1 : tensor<8x4x3x3xf32> -> tensor<4x8x3x3xf32>
// CHECK: cnn.conv2d {{.*}} {padding = array<i64: 2, 2, 1, 0>} : {{.*}} -> tensor<?x4x10x7xf32>
func.func @infer(%x: tensor<?x8x8x8xf32> {cnn.input = "x"}, %w: tensor<8x4x3x3xf32>, %b: tensor<4xf32>) {
  %0 = cnn.conv2d_transpose %x, %w bias %b {size = array<i64: 8, 8>, padding = array<i64: 1, 1, 1, 1>, path = "up"}
     : tensor<?x8x8x8xf32>, tensor<8x4x3x3xf32>, tensor<4xf32> -> tensor<?x4x8x8xf32>
  %1 = cnn.conv2d_transpose %x, %w {size = array<i64: 10, 7>, padding = array<i64: 0, 0, 1, 2>}
     : tensor<?x8x8x8xf32>, tensor<8x4x3x3xf32> -> tensor<?x4x10x7xf32>
  return
}

// -----

// Dilation widens the reach; groups stay.
// CHECK-LABEL: @infer
// CHECK: cnn.flip_kernels %arg1 {groups = 4 : i64} : tensor<8x2x3x3xf32> -> tensor<8x2x3x3xf32>
// CHECK: cnn.conv2d {{.*}} {dilations = array<i64: 2, 2>, groups = 4 : i64, padding = array<i64: 3, 3, 3, 3>}
func.func @infer(%x: tensor<?x8x8x8xf32> {cnn.input = "x"}, %w: tensor<8x2x3x3xf32>) {
  %0 = cnn.conv2d_transpose %x, %w {size = array<i64: 10, 10>, padding = array<i64: 1, 1, 1, 1>, dilations = array<i64: 2, 2>, groups = 4 : i64}
     : tensor<?x8x8x8xf32>, tensor<8x2x3x3xf32> -> tensor<?x8x10x10xf32>
  return
}

// -----

// With strides, or more padding than the kernel reaches over, it stays.
// CHECK-LABEL: @infer
// CHECK-COUNT-2: cnn.conv2d_transpose
func.func @infer(%x: tensor<?x8x8x8xf32> {cnn.input = "x"}, %w: tensor<8x2x1x1xf32>) {
  %0 = cnn.conv2d_transpose %x, %w {size = array<i64: 15, 15>, strides = array<i64: 2, 2>}
     : tensor<?x8x8x8xf32>, tensor<8x2x1x1xf32> -> tensor<?x2x15x15xf32>
  %1 = cnn.conv2d_transpose %x, %w {size = array<i64: 6, 6>, padding = array<i64: 1, 1, 1, 1>}
     : tensor<?x8x8x8xf32>, tensor<8x2x1x1xf32> -> tensor<?x2x6x6xf32>
  return
}
