// RUN: cnn-opt %s | cnn-opt | FileCheck %s

// CHECK-LABEL: func.func @unary
func.func @unary(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: cnn.relu %{{.*}} {path = "act"} : tensor<?x8xf32> -> tensor<?x8xf32>
  %0 = cnn.relu %x {path = "act"} : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.tanh
  %1 = cnn.tanh %0 : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.sigmoid
  %2 = cnn.sigmoid %1 : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.exp
  %3 = cnn.exp %2 : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.log
  %4 = cnn.log %3 : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.sqrt
  %5 = cnn.sqrt %4 : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.abs
  %6 = cnn.abs %5 : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.neg
  %7 = cnn.neg %6 : tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.clamp %{{.*}} {max = 6.000000e+00 : f64, min = 0.000000e+00 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>
  %8 = cnn.clamp %7 {min = 0.0 : f64, max = 6.0 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>
  return %8 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @convert
func.func @convert(%x: tensor<?x8xui8>) -> tensor<?x8xf32> {
  // CHECK: cnn.convert %{{.*}} {to = f32} : tensor<?x8xui8> -> tensor<?x8xf32>
  %0 = cnn.convert %x {to = f32} : tensor<?x8xui8> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @binary
func.func @binary(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: cnn.add %{{.*}}, %{{.*}} : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  %0 = cnn.add %x, %y : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.sub
  %1 = cnn.sub %0, %y : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.mul
  %2 = cnn.mul %1, %y : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.div
  %3 = cnn.div %2, %y : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.max
  %4 = cnn.max %3, %y : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  // CHECK-NEXT: cnn.min
  %5 = cnn.min %4, %y : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

// A result may have a layout that its operands have not: layouts mean nothing for values.
// CHECK-LABEL: func.func @layouts
func.func @layouts(%x: tensor<?x8x4x4xf32>) -> tensor<?x8x4x4xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>> {
  // CHECK: cnn.relu %{{.*}} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
  %0 = cnn.relu %x : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
  return %0 : tensor<?x8x4x4xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
}
