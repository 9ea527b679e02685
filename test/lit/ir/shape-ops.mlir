// RUN: cnn-opt %s | cnn-opt | FileCheck %s

// CHECK-LABEL: func.func @shapes
func.func @shapes(%x: tensor<?x4x6x6xf32>, %v: tensor<4xf32>) -> tensor<?x2x4xf32> {
  // CHECK: cnn.broadcast %{{.*}} {dims = array<i64: 1>, shape = array<i64: -1, 4, 6, 6>} : tensor<4xf32> -> tensor<?x4x6x6xf32>
  %0 = cnn.broadcast %v {dims = array<i64: 1>, shape = array<i64: -1, 4, 6, 6>} : tensor<4xf32> -> tensor<?x4x6x6xf32>
  // CHECK-NEXT: cnn.concat %{{.*}}, %{{.*}} {axis = 1 : i64} : tensor<?x4x6x6xf32>, tensor<?x4x6x6xf32> -> tensor<?x8x6x6xf32>
  %1 = cnn.concat %x, %0 {axis = 1 : i64} : tensor<?x4x6x6xf32>, tensor<?x4x6x6xf32> -> tensor<?x8x6x6xf32>
  // CHECK-NEXT: cnn.slice %{{.*}} {sizes = array<i64: -1, 8, 3, 1>, starts = array<i64: 0, 0, 0, 5>, steps = array<i64: 1, 1, 2, 1>} : tensor<?x8x6x6xf32> -> tensor<?x8x3x1xf32>
  %2 = cnn.slice %1 {starts = array<i64: 0, 0, 0, 5>, sizes = array<i64: -1, 8, 3, 1>, steps = array<i64: 1, 1, 2, 1>} : tensor<?x8x6x6xf32> -> tensor<?x8x3x1xf32>
  // CHECK-NEXT: cnn.pad %{{.*}} {high = array<i64: 0, 0, 1, 0>, low = array<i64: 0, 0, 2, 0>, mode = #cnn.pad_mode<reflect>} : tensor<?x8x3x1xf32> -> tensor<?x8x6x1xf32>
  %3 = cnn.pad %2 {low = array<i64: 0, 0, 2, 0>, high = array<i64: 0, 0, 1, 0>, mode = #cnn.pad_mode<reflect>} : tensor<?x8x3x1xf32> -> tensor<?x8x6x1xf32>
  // CHECK-NEXT: cnn.transpose %{{.*}} {permutation = array<i64: 0, 2, 1, 3>} : tensor<?x8x6x1xf32> -> tensor<?x6x8x1xf32>
  %4 = cnn.transpose %3 {permutation = array<i64: 0, 2, 1, 3>} : tensor<?x8x6x1xf32> -> tensor<?x6x8x1xf32>
  %5 = cnn.pad %4 {low = array<i64: 0, 0, 0, 0>, high = array<i64: 0, 0, 0, 1>} : tensor<?x6x8x1xf32> -> tensor<?x6x8x2xf32>
  %6 = cnn.reduce %5 {kind = #cnn.reduce_kind<max>, dims = array<i64: 1, 3>} : tensor<?x6x8x2xf32> -> tensor<?x8xf32>
  // CHECK: cnn.reshape %{{.*}} {shape = array<i64: -1, 2, 4>} : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %7 = cnn.reshape %6 {shape = array<i64: -1, 2, 4>} : tensor<?x8xf32> -> tensor<?x2x4xf32>
  return %7 : tensor<?x2x4xf32>
}
