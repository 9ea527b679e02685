// RUN: cnn-opt --cnn-fuse --cnn-lay-out --cnn-verify-stage=stage=layout --split-input-file %s | FileCheck %s

func.func @prepare() -> (tensor<32x3x3x3xf32> {cnn.packed = 0 : i64}, tensor<32x32x3x3xf32> {cnn.packed = 1 : i64}) {
  %0 = cnn.constant dense<1.0> : tensor<32x3x3x3xf32>
  %1 = cnn.constant dense<1.0> : tensor<32x32x3x3xf32>
  return %0, %1 : tensor<32x3x3x3xf32>, tensor<32x32x3x3xf32>
}
// A first layer reads the row-major input; between groups images are in blocks of 16 channels; softmax reads rows, and so does
// the output: one copy serves both, as it is not the output itself. The weights are schedule's.
// CHECK-LABEL: func.func @run(%arg0: tensor<32x3x3x3xf32> {{.*}}, %arg1: tensor<32x32x3x3xf32> {{.*}}, %arg2: tensor<?x3x8x8xf32> {cnn.input = "x"})
// CHECK: %[[A:.*]] = cnn.group "a" kind "first_conv" ({{.*}}: tensor<?x3x8x8xf32>, {{.*}}: tensor<32x3x3x3xf32>) -> tensor<?x32x6x6xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
// CHECK: %[[B:.*]] = cnn.group "b" kind "conv2d" ({{.*}} = %[[A]]{{.*}}) -> tensor<?x32x4x4xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
// CHECK-NEXT: cnn.conv2d {{.*}} -> tensor<?x32x4x4xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
// CHECK: %[[ROWS:.*]] = cnn.group "b.to_rows" kind "copy" ({{.*}} = %[[B]]{{.*}}) -> tensor<?x32x4x4xf32>
// CHECK-NEXT: cnn.relayout
// CHECK: %[[SOFTMAX:.*]] = cnn.group "softmax" kind "softmax" ({{.*}} = %[[ROWS]]{{.*}}) -> tensor<?x32x4x4xf32>
// CHECK: return %[[ROWS]], %[[SOFTMAX]]
func.func @run(%w: tensor<32x3x3x3xf32> {cnn.packed = 0 : i64}, %v: tensor<32x32x3x3xf32> {cnn.packed = 1 : i64}, %x: tensor<?x3x8x8xf32> {cnn.input = "x"}) -> (tensor<?x32x4x4xf32> {cnn.output = "y"}, tensor<?x32x4x4xf32> {cnn.output = "z"}) {
  %0 = cnn.conv2d %x, %w {path = "a"} : tensor<?x3x8x8xf32>, tensor<32x3x3x3xf32> -> tensor<?x32x6x6xf32>
  %1 = cnn.conv2d %0, %v {path = "b"} : tensor<?x32x6x6xf32>, tensor<32x32x3x3xf32> -> tensor<?x32x4x4xf32>
  %2 = cnn.softmax %1 {path = "softmax"} : tensor<?x32x4x4xf32> -> tensor<?x32x4x4xf32>
  return %1, %2 : tensor<?x32x4x4xf32>, tensor<?x32x4x4xf32>
}

// -----

func.func @prepare() {
  return
}
// An input that is returned is copied; so is what is returned twice.
// CHECK-LABEL: func.func @run
// CHECK: %[[X:.*]] = cnn.group "x.to_rows" kind "copy" ({{.*}} = %arg0
// CHECK: %[[TANH:.*]] = cnn.group "tanh" kind "elementwise"
// CHECK: %[[AGAIN:.*]] = cnn.group "tanh.to_rows" kind "copy" ({{.*}} = %[[TANH]]
// CHECK: return %[[X]], %[[TANH]], %[[AGAIN]]
func.func @run(%x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "a"}, tensor<?x3xf32> {cnn.output = "b"}, tensor<?x3xf32> {cnn.output = "c"}) {
  %0 = cnn.tanh %x {path = "tanh"} : tensor<?x3xf32> -> tensor<?x3xf32>
  return %x, %0, %0 : tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>
}
