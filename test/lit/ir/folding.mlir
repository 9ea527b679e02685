// RUN: cnn-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @identities
// CHECK-SAME: (%[[X:.*]]: tensor<4x2xf32>)
// CHECK-NEXT: return %[[X]]
func.func @identities(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %zero = cnn.constant dense<0.0> : tensor<4x2xf32>
  %minus_zero = cnn.constant dense<-0.0> : tensor<4x2xf32>
  %one = cnn.constant dense<1.0> : tensor<4x2xf32>
  %0 = cnn.add %x, %minus_zero : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  %1 = cnn.sub %0, %zero : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  %2 = cnn.mul %1, %one : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  %3 = cnn.div %2, %one : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  %4 = cnn.convert %3 {to = f32} : tensor<4x2xf32> -> tensor<4x2xf32>
  %5 = cnn.reshape %4 {shape = array<i64: 4, 2>} : tensor<4x2xf32> -> tensor<4x2xf32>
  %6 = cnn.relayout %5 : tensor<4x2xf32> -> tensor<4x2xf32>
  %7 = cnn.transpose %6 {permutation = array<i64: 0, 1>} : tensor<4x2xf32> -> tensor<4x2xf32>
  %8 = cnn.slice %7 {starts = array<i64: 0, 0>, sizes = array<i64: 4, 2>, steps = array<i64: 1, 1>} : tensor<4x2xf32> -> tensor<4x2xf32>
  %9 = cnn.broadcast %8 {dims = array<i64: 0, 1>, shape = array<i64: 4, 2>} : tensor<4x2xf32> -> tensor<4x2xf32>
  return %9 : tensor<4x2xf32>
}

// -0 + 0 is 0, not -0.
// CHECK-LABEL: func.func @zero
func.func @zero(%x: tensor<2xf32>) -> tensor<2xf32> {
  %zero = cnn.constant dense<0.0> : tensor<2xf32>
  // CHECK: cnn.add
  %0 = cnn.add %x, %zero : tensor<2xf32>, tensor<2xf32> -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// A transposition of a square matrix keeps the type, not the value.
// CHECK-LABEL: func.func @square
func.func @square(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  // CHECK: cnn.transpose
  %0 = cnn.transpose %x {permutation = array<i64: 1, 0>} : tensor<2x2xf32> -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// CHECK-LABEL: func.func @splat
func.func @splat() -> tensor<2x3xf32> {
  // CHECK-NEXT: cnn.constant dense<5.000000e-01> : tensor<2x3xf32>
  %0 = cnn.constant dense<0.5> : tensor<3xf32>
  %1 = cnn.broadcast %0 {dims = array<i64: 1>, shape = array<i64: 2, 3>} : tensor<3xf32> -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @relayout
func.func @relayout(%x: tensor<?x8x4x4xf32>) -> tensor<?x8x4x4xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>> {
  // CHECK: cnn.relayout
  %0 = cnn.relayout %x : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
  return %0 : tensor<?x8x4x4xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
}
