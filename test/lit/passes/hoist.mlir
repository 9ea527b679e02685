// RUN: cnn-opt --cnn-hoist --cnn-verify-stage=stage=hoist --split-input-file %s | FileCheck %s

// CHECK: cnn.param @w
// CHECK-NOT: cnn.param @unused
cnn.param @w : tensor<4x3xf32>
cnn.param @v : tensor<4xf32>
cnn.param @unused : tensor<4xf32>

// Equal values (but for their paths) are packed once; a parameter that @run reads as it is passes through.
// CHECK: func.func @prepare(%[[W:.*]]: tensor<4x3xf32> {cnn.state = @w}, %[[V:.*]]: tensor<4xf32> {cnn.state = @v}) -> (tensor<4x3xf32> {cnn.packed = 0 : i64}, tensor<4xf32> {cnn.packed = 1 : i64})
// CHECK-NEXT: %[[EXP:.*]] = cnn.exp %[[W]] {path = "a"}
// CHECK-NEXT: return %[[EXP]], %[[V]]
// CHECK: func.func @run(%[[PACKED:.*]]: tensor<4x3xf32> {cnn.packed = 0 : i64}, %[[BIAS:.*]]: tensor<4xf32> {cnn.packed = 1 : i64}, %[[X:.*]]: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x4xf32> {cnn.output = "y"}, tensor<?x4xf32> {cnn.output = "z"})
// CHECK-NEXT: %[[Y:.*]] = cnn.dense %[[X]], %[[PACKED]] {path = "dense"}
// CHECK-NEXT: %[[Z:.*]] = cnn.dense %[[X]], %[[PACKED]] bias %[[BIAS]] {path = "biased"}
// CHECK-NEXT: return %[[Y]], %[[Z]]
func.func @infer(%x: tensor<?x3xf32> {cnn.input = "x"}, %w: tensor<4x3xf32> {cnn.state = @w}, %v: tensor<4xf32> {cnn.state = @v}, %u: tensor<4xf32> {cnn.state = @unused}) -> (tensor<?x4xf32> {cnn.output = "y"}, tensor<?x4xf32> {cnn.output = "z"}) {
  %0 = cnn.exp %w {path = "a"} : tensor<4x3xf32> -> tensor<4x3xf32>
  %1 = cnn.exp %w {path = "b"} : tensor<4x3xf32> -> tensor<4x3xf32>
  %2 = cnn.dense %x, %0 {path = "dense"} : tensor<?x3xf32>, tensor<4x3xf32> -> tensor<?x4xf32>
  %3 = cnn.dense %x, %1 bias %v {path = "biased"} : tensor<?x3xf32>, tensor<4x3xf32>, tensor<4xf32> -> tensor<?x4xf32>
  return %2, %3 : tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

// A constant kernel is packed, also where its elements are equal; numbers and broadcasts that element-wise operations read
// stay in @run.
// CHECK: func.func @prepare() -> (tensor<1x1x3x3xf32> {cnn.packed = 0 : i64}, tensor<1xf32> {cnn.packed = 1 : i64})
// CHECK-DAG: %[[BOX:.*]] = cnn.constant dense<1.000000e+00> : tensor<1x1x3x3xf32>
// CHECK-DAG: %[[ROOT:.*]] = cnn.sqrt
// CHECK: return %[[BOX]], %[[ROOT]]
// CHECK: func.func @run(%[[K:.*]]: tensor<1x1x3x3xf32> {cnn.packed = 0 : i64}, %[[R:.*]]: tensor<1xf32> {cnn.packed = 1 : i64}, %[[X:.*]]: tensor<?x1x8x8xf32> {cnn.input = "x"})
// CHECK-NEXT: %[[Y:.*]] = cnn.conv2d %[[X]], %[[K]]
// CHECK-NEXT: %[[NINTH:.*]] = cnn.constant dense<0.111111112> : tensor<f32>
// CHECK-NEXT: %[[SPREAD:.*]] = cnn.broadcast %[[NINTH]]
// CHECK-NEXT: %[[MEAN:.*]] = cnn.mul %[[Y]], %[[SPREAD]]
// CHECK-NEXT: %[[ROOTS:.*]] = cnn.broadcast %[[R]]
// CHECK-NEXT: cnn.add %[[MEAN]], %[[ROOTS]]
func.func @infer(%x: tensor<?x1x8x8xf32> {cnn.input = "x"}) -> (tensor<?x1x6x6xf32> {cnn.output = "y"}) {
  %k = cnn.constant dense<1.0> : tensor<1x1x3x3xf32>
  %ninth = cnn.constant dense<0.111111112> : tensor<f32>
  %two = cnn.constant dense<2.0> : tensor<1xf32>
  %root = cnn.sqrt %two {path = "root"} : tensor<1xf32> -> tensor<1xf32>
  %0 = cnn.conv2d %x, %k {path = "box"} : tensor<?x1x8x8xf32>, tensor<1x1x3x3xf32> -> tensor<?x1x6x6xf32>
  %1 = cnn.broadcast %ninth {dims = array<i64>, shape = array<i64: -1, 1, 6, 6>, path = "ninth"} : tensor<f32> -> tensor<?x1x6x6xf32>
  %2 = cnn.mul %0, %1 {path = "mean"} : tensor<?x1x6x6xf32>, tensor<?x1x6x6xf32> -> tensor<?x1x6x6xf32>
  %3 = cnn.broadcast %root {dims = array<i64: 1>, shape = array<i64: -1, 1, 6, 6>, path = "roots"} : tensor<1xf32> -> tensor<?x1x6x6xf32>
  %4 = cnn.add %2, %3 {path = "sum"} : tensor<?x1x6x6xf32>, tensor<?x1x6x6xf32> -> tensor<?x1x6x6xf32>
  return %4 : tensor<?x1x6x6xf32>
}
