// RUN: cnn-opt --cnn-fuse --cnn-verify-stage=stage=fuse --split-input-file %s | FileCheck %s
// RUN: not cnn-opt --cnn-fuse=target=abacus --split-input-file %s 2>&1 | FileCheck --check-prefix=TARGET %s
// TARGET: error: there is no target 'abacus'

func.func @prepare() -> (tensor<8x8x1x1xf32> {cnn.packed = 0 : i64}, tensor<8xf32> {cnn.packed = 1 : i64}) {
  %0 = cnn.constant dense<1.0> : tensor<8x8x1x1xf32>
  %1 = cnn.constant dense<1.0> : tensor<8xf32>
  return %0, %1 : tensor<8x8x1x1xf32>, tensor<8xf32>
}
// A residual block: the group of the convolution whose results come last takes the addition and the relu. A vector of
// channels comes into the group with its broadcast. The pooling is a group of its own, as is what follows the concatenation,
// whose kernel has no epilogue.
// CHECK-LABEL: func.func @run
// CHECK: %[[A:.*]] = cnn.group "a" kind "conv2d" (%{{.*}} = %[[X:arg2]] : {{.*}}, %[[W:.*]] = %arg0 : tensor<8x8x1x1xf32>, %[[V:.*]] = %arg1 : tensor<8xf32>) -> tensor<?x8x4x4xf32>
// CHECK-SAME: notes = ["conv2d \22b\22: is computed on its own"]
// CHECK-NEXT: cnn.conv2d
// CHECK-NEXT: cnn.broadcast %[[V]]
// CHECK-NEXT: cnn.mul
// CHECK-NEXT: cnn.relu
// CHECK-NEXT: cnn.yield
// CHECK: %[[B:.*]] = cnn.group "b" kind "conv2d" ({{.*}} = %[[A]] : {{.*}}, {{.*}} = %[[X]] : {{.*}})
// CHECK-NEXT: cnn.conv2d
// CHECK-NEXT: cnn.add
// CHECK-NEXT: %[[CLAMP:.*]] = cnn.clamp
// CHECK-NEXT: cnn.yield %[[CLAMP]] : tensor<?x8x4x4xf32>
// CHECK: %[[POOL:.*]] = cnn.group "pool" kind "max_pool" ({{.*}} = %[[B]]
// CHECK: %[[CONCAT:.*]] = cnn.group "concat" kind "concat" ({{.*}} = %[[POOL]] : {{.*}}, {{.*}} = %[[B]]
// CHECK-SAME: notes = ["tanh \22tanh\22: the kernel of cnn.concat has no epilogue"]
// CHECK: %[[TANH:.*]] = cnn.group "tanh" kind "elementwise" ({{.*}} = %[[CONCAT]]
// CHECK: return %[[TANH]]
func.func @run(%w: tensor<8x8x1x1xf32> {cnn.packed = 0 : i64}, %v: tensor<8xf32> {cnn.packed = 1 : i64}, %x: tensor<?x8x4x4xf32> {cnn.input = "x"}) -> (tensor<?x16x4x4xf32> {cnn.output = "y"}) {
  %0 = cnn.conv2d %x, %w {path = "a"} : tensor<?x8x4x4xf32>, tensor<8x8x1x1xf32> -> tensor<?x8x4x4xf32>
  %1 = cnn.broadcast %v {dims = array<i64: 1>, shape = array<i64: -1, 8, 4, 4>, path = "v"} : tensor<8xf32> -> tensor<?x8x4x4xf32>
  %2 = cnn.mul %0, %1 {path = "mul"} : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
  %3 = cnn.relu %2 {path = "relu"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
  %4 = cnn.conv2d %3, %w {path = "b"} : tensor<?x8x4x4xf32>, tensor<8x8x1x1xf32> -> tensor<?x8x4x4xf32>
  %5 = cnn.add %4, %x {path = "add"} : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
  %6 = cnn.clamp %5 {min = 0.0 : f64, max = 6.0 : f64, path = "clamp"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
  %7 = cnn.max_pool %6 {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, path = "pool"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
  %8 = cnn.concat %7, %6 {axis = 1 : i64, path = "concat"} : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x16x4x4xf32>
  %9 = cnn.tanh %8 {path = "tanh"} : tensor<?x16x4x4xf32> -> tensor<?x16x4x4xf32>
  return %9 : tensor<?x16x4x4xf32>
}

// -----

func.func @prepare() -> (tensor<4x3xf32> {cnn.packed = 0 : i64}) {
  %0 = cnn.constant dense<1.0> : tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}
// The first group moves down to the other operand of the addition; x * sigmoid(x) needs no second result; what is also
// returned is a second result.
// CHECK-LABEL: func.func @run
// CHECK: %[[LATE:.*]] = cnn.group "late" kind "dense"
// CHECK: %[[EARLY:.*]]:2 = cnn.group "early" kind "dense" ({{.*}} = %[[LATE]]{{.*}}) -> (tensor<?x4xf32>, tensor<?x4xf32>)
// CHECK-NEXT: cnn.dense
// CHECK-NEXT: %[[SUM:.*]] = cnn.add
// CHECK-NEXT: %[[SIGMOID:.*]] = cnn.sigmoid %[[SUM]]
// CHECK-NEXT: %[[PRODUCT:.*]] = cnn.mul %[[SUM]], %[[SIGMOID]]
// CHECK-NEXT: cnn.yield %[[SUM]], %[[PRODUCT]]
// CHECK: return %[[EARLY]]#0, %[[EARLY]]#1
func.func @run(%w: tensor<4x3xf32> {cnn.packed = 0 : i64}, %x: tensor<?x3xf32> {cnn.input = "x"}, %y: tensor<?x3xf32> {cnn.input = "y"}) -> (tensor<?x4xf32> {cnn.output = "sum"}, tensor<?x4xf32> {cnn.output = "swish"}) {
  %0 = cnn.dense %x, %w {path = "early"} : tensor<?x3xf32>, tensor<4x3xf32> -> tensor<?x4xf32>
  %1 = cnn.dense %y, %w {path = "late"} : tensor<?x3xf32>, tensor<4x3xf32> -> tensor<?x4xf32>
  %2 = cnn.add %0, %1 {path = "add"} : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %3 = cnn.sigmoid %2 {path = "sigmoid"} : tensor<?x4xf32> -> tensor<?x4xf32>
  %4 = cnn.mul %2, %3 {path = "swish"} : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return %2, %4 : tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

func.func @prepare() -> (tensor<4x4xf32> {cnn.packed = 0 : i64}) {
  %0 = cnn.constant dense<1.0> : tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
// The first layer can't take the addition, whose other operand depends on its result; the second can. A constant that is
// returned is a group, too.
// CHECK-LABEL: func.func @run
// CHECK: cnn.group "a" kind "dense"
// CHECK-SAME: notes = ["dense \22b\22: is computed on its own", "add \22add\22: its other operand is computed after dense \22b\22 reads the result"]
// CHECK: cnn.group "b" kind "dense"
// CHECK-NEXT: cnn.dense
// CHECK-NEXT: cnn.add
// CHECK: cnn.group "constant" kind "generic" () -> tensor<2xf32>
func.func @run(%w: tensor<4x4xf32> {cnn.packed = 0 : i64}, %x: tensor<?x4xf32> {cnn.input = "x"}) -> (tensor<?x4xf32> {cnn.output = "y"}, tensor<2xf32> {cnn.output = "z"}) {
  %0 = cnn.dense %x, %w {path = "a"} : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %1 = cnn.dense %0, %w {path = "b"} : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %2 = cnn.add %0, %1 {path = "add"} : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %3 = cnn.constant dense<1.0> : tensor<2xf32>
  return %2, %3 : tensor<?x4xf32>, tensor<2xf32>
}
