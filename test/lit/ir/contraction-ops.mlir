// RUN: cnn-opt %s | cnn-opt | FileCheck %s

// CHECK-LABEL: func.func @conv2d
func.func @conv2d(%x: tensor<?x4x8x8xf32>, %w: tensor<16x2x3x3xf32>, %b: tensor<16xf32>) -> tensor<?x16x4x4xf32> {
  // CHECK: cnn.conv2d %{{.*}}, %{{.*}} bias %{{.*}} {groups = 2 : i64, padding = array<i64: 1, 1, 1, 1>, path = "c1", strides = array<i64: 2, 2>} : tensor<?x4x8x8xf32>, tensor<16x2x3x3xf32>, tensor<16xf32> -> tensor<?x16x4x4xf32>
  %0 = cnn.conv2d %x, %w bias %b {groups = 2 : i64, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, path = "c1"}
     : tensor<?x4x8x8xf32>, tensor<16x2x3x3xf32>, tensor<16xf32> -> tensor<?x16x4x4xf32>
  return %0 : tensor<?x16x4x4xf32>
}

// CHECK-LABEL: func.func @dilated
func.func @dilated(%x: tensor<2x2x8x8xf32>, %w: tensor<3x2x3x2xf32>) -> tensor<2x3x4x5xf32> {
  // CHECK: cnn.conv2d %{{.*}}, %{{.*}} {dilations = array<i64: 2, 3>, precision = #cnn.precision<tf32>} :
  %0 = cnn.conv2d %x, %w {dilations = array<i64: 2, 3>, precision = #cnn.precision<tf32>} : tensor<2x2x8x8xf32>, tensor<3x2x3x2xf32> -> tensor<2x3x4x5xf32>
  return %0 : tensor<2x3x4x5xf32>
}

// CHECK-LABEL: func.func @winograd
func.func @winograd(%x: tensor<?x4x8x8xf32>, %w: tensor<6x2x3x3xf32>, %b: tensor<6xf32>) -> tensor<?x6x8x8xf32> {
  // CHECK: cnn.expand_groups %{{.*}} {groups = 2 : i64} : tensor<6x2x3x3xf32> -> tensor<6x4x3x3xf32>
  %0 = cnn.expand_groups %w {groups = 2 : i64} : tensor<6x2x3x3xf32> -> tensor<6x4x3x3xf32>
  // CHECK-NEXT: cnn.winograd_weights %{{.*}} : tensor<6x4x3x3xf32> -> tensor<6x6x6x4xf32>
  %1 = cnn.winograd_weights %0 : tensor<6x4x3x3xf32> -> tensor<6x6x6x4xf32>
  // CHECK-NEXT: cnn.winograd_conv2d %{{.*}}, %{{.*}} bias %{{.*}} {padding = array<i64: 1, 1, 1, 1>} : tensor<?x4x8x8xf32>, tensor<6x6x6x4xf32>, tensor<6xf32> -> tensor<?x6x8x8xf32>
  %2 = cnn.winograd_conv2d %x, %1 bias %b {padding = array<i64: 1, 1, 1, 1>} : tensor<?x4x8x8xf32>, tensor<6x6x6x4xf32>, tensor<6xf32> -> tensor<?x6x8x8xf32>
  return %2 : tensor<?x6x8x8xf32>
}

// CHECK-LABEL: func.func @products
func.func @products(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>, %b: tensor<4xf32>) -> tensor<4x8xf32> {
  // CHECK: cnn.dense %{{.*}}, %{{.*}} bias %{{.*}} : tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32> -> tensor<?x4xf32>
  %0 = cnn.dense %x, %w bias %b : tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32> -> tensor<?x4xf32>
  // CHECK-NEXT: cnn.matmul %{{.*}}, %{{.*}} {transpose_lhs = true} : tensor<?x4xf32>, tensor<?x8xf32> -> tensor<4x8xf32>
  %1 = cnn.matmul %0, %x {transpose_lhs = true} : tensor<?x4xf32>, tensor<?x8xf32> -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}
