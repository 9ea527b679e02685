// RUN: cnn-opt %s | cnn-opt | FileCheck %s

// CHECK-LABEL: func.func @pools
func.func @pools(%x: tensor<?x8x5x5xf32>) -> tensor<?x8x2x2xf32> {
  // CHECK: cnn.max_pool %{{.*}} {ceil = true, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : tensor<?x8x5x5xf32> -> tensor<?x8x3x3xf32>
  %0 = cnn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, ceil = true} : tensor<?x8x5x5xf32> -> tensor<?x8x3x3xf32>
  // CHECK-NEXT: cnn.avg_pool %{{.*}} {count_pad = true, kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : tensor<?x8x3x3xf32> -> tensor<?x8x2x2xf32>
  %1 = cnn.avg_pool %0 {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, count_pad = true} : tensor<?x8x3x3xf32> -> tensor<?x8x2x2xf32>
  return %1 : tensor<?x8x2x2xf32>
}

// The last window of `ceil` begins inside the input or the padding before it: 4 + 1 rows in steps of 2 give 3, not 4 windows of 2.
// CHECK-LABEL: func.func @ceil
func.func @ceil(%x: tensor<1x1x4x4xf32>) -> tensor<1x1x3x3xf32> {
  %0 = cnn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, ceil = true} : tensor<1x1x4x4xf32> -> tensor<1x1x3x3xf32>
  return %0 : tensor<1x1x3x3xf32>
}

// CHECK-LABEL: func.func @normalize
func.func @normalize(%x: tensor<?x8x4x4xf32>, %v: tensor<8xf32>) -> tensor<?x8x4x4xf32> {
  // CHECK: cnn.batch_norm %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {epsilon = 1.000000e-03 : f64} :
  %0 = cnn.batch_norm %x, %v, %v, %v, %v {epsilon = 1.0e-3 : f64} : tensor<?x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32> -> tensor<?x8x4x4xf32>
  // CHECK-NEXT: cnn.softmax %{{.*}} {axis = 3 : i64} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
  %1 = cnn.softmax %0 {axis = 3 : i64} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
  return %1 : tensor<?x8x4x4xf32>
}

// CHECK-LABEL: func.func @losses
func.func @losses(%x: tensor<?x8xf32>) -> tensor<f32> {
  // CHECK: cnn.reduce %{{.*}} {dims = array<i64: 0, 1>, kind = #cnn.reduce_kind<mean>} : tensor<?x8xf32> -> tensor<f32>
  %0 = cnn.reduce %x {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 1>} : tensor<?x8xf32> -> tensor<f32>
  return %0 : tensor<f32>
}

// CHECK-LABEL: func.func @random
func.func @random(%seed: tensor<i64>, %step: tensor<i64>, %x: tensor<?x8xf32>) -> tensor<?x4xf32> {
  // CHECK: cnn.random_uniform %{{.*}}, %{{.*}} like %{{.*}} {path = "noise", shape = array<i64: -1, 4>} : tensor<i64>, tensor<i64>, tensor<?x8xf32> -> tensor<?x4xf32>
  %0 = cnn.random_uniform %seed, %step like %x {shape = array<i64: -1, 4>, path = "noise"} : tensor<i64>, tensor<i64>, tensor<?x8xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
