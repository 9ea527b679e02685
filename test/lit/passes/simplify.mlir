// RUN: cnn-opt --cnn-simplify %s | FileCheck %s

// CHECK-LABEL: @reshape_of_reshape
// CHECK-NEXT: cnn.reshape %arg0 {path = "b", shape = array<i64: -1, 2, 4>} : tensor<?x8x1x1xf32> -> tensor<?x2x4xf32>
// CHECK-NEXT: return
func.func @reshape_of_reshape(%x: tensor<?x8x1x1xf32>) -> tensor<?x2x4xf32> {
  %0 = cnn.reshape %x {shape = array<i64: -1, 8>, path = "a"} : tensor<?x8x1x1xf32> -> tensor<?x8xf32>
  %1 = cnn.reshape %0 {shape = array<i64: -1, 2, 4>, path = "b"} : tensor<?x8xf32> -> tensor<?x2x4xf32>
  return %1 : tensor<?x2x4xf32>
}

// CHECK-LABEL: @transpose_of_transpose
// CHECK-NEXT: return %arg0
func.func @transpose_of_transpose(%x: tensor<?x8x2x3xf32>) -> tensor<?x8x2x3xf32> {
  %0 = cnn.transpose %x {permutation = array<i64: 0, 2, 3, 1>} : tensor<?x8x2x3xf32> -> tensor<?x2x3x8xf32>
  %1 = cnn.transpose %0 {permutation = array<i64: 0, 3, 1, 2>} : tensor<?x2x3x8xf32> -> tensor<?x8x2x3xf32>
  return %1 : tensor<?x8x2x3xf32>
}

// CHECK-LABEL: @slice_of_slice
// CHECK-NEXT: cnn.slice %arg0 {sizes = array<i64: -1, 2>, starts = array<i64: 0, 7>, steps = array<i64: 1, 6>}
func.func @slice_of_slice(%x: tensor<?x20xf32>) -> tensor<?x2xf32> {
  %0 = cnn.slice %x {starts = array<i64: 0, 1>, sizes = array<i64: -1, 6>, steps = array<i64: 1, 3>} : tensor<?x20xf32> -> tensor<?x6xf32>
  %1 = cnn.slice %0 {starts = array<i64: 0, 2>, sizes = array<i64: -1, 2>, steps = array<i64: 1, 2>} : tensor<?x6xf32> -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}

// CHECK-LABEL: @broadcast_of_broadcast
// CHECK-NEXT: cnn.broadcast %arg0 {dims = array<i64: 1>, shape = array<i64: -1, 8, 2, 2>}
func.func @broadcast_of_broadcast(%x: tensor<8xf32>) -> tensor<?x8x2x2xf32> {
  %0 = cnn.broadcast %x {dims = array<i64: 0>, shape = array<i64: 8, 2>} : tensor<8xf32> -> tensor<8x2xf32>
  %1 = cnn.broadcast %0 {dims = array<i64: 1, 2>, shape = array<i64: -1, 8, 2, 2>} : tensor<8x2xf32> -> tensor<?x8x2x2xf32>
  return %1 : tensor<?x8x2x2xf32>
}

// The inner one that something else reads stays.
// CHECK-LABEL: @concat_of_concat
// CHECK: %[[SHARED:.*]] = cnn.concat %arg0, %arg1 {axis = 1 : i64, path = "shared"}
// CHECK-NEXT: %[[ALL:.*]] = cnn.concat %arg1, %arg0, %[[SHARED]] {axis = 1 : i64, path = "all"}
// CHECK-NEXT: return %[[ALL]], %[[SHARED]]
func.func @concat_of_concat(%x: tensor<?x8xf32>, %y: tensor<?x4xf32>) -> (tensor<?x24xf32>, tensor<?x12xf32>) {
  %0 = cnn.concat %y, %x {axis = 1 : i64, path = "inner"} : tensor<?x4xf32>, tensor<?x8xf32> -> tensor<?x12xf32>
  %1 = cnn.concat %x, %y {axis = 1 : i64, path = "shared"} : tensor<?x8xf32>, tensor<?x4xf32> -> tensor<?x12xf32>
  %2 = cnn.concat %0, %1 {axis = 1 : i64, path = "all"} : tensor<?x12xf32>, tensor<?x12xf32> -> tensor<?x24xf32>
  return %2, %1 : tensor<?x24xf32>, tensor<?x12xf32>
}

// CHECK-LABEL: @pad_before_conv
// CHECK-NEXT: cnn.conv2d %arg0, %arg1 {padding = array<i64: 2, 3, 1, 1>, path = "conv"}
// CHECK-NEXT: return
func.func @pad_before_conv(%x: tensor<?x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x11x8xf32> {
  %0 = cnn.pad %x {low = array<i64: 0, 0, 1, 0>, high = array<i64: 0, 0, 2, 0>} : tensor<?x3x8x8xf32> -> tensor<?x3x11x8xf32>
  %1 = cnn.conv2d %0, %w {padding = array<i64: 1, 1, 1, 1>, path = "conv"} : tensor<?x3x11x8xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x11x8xf32>
  return %1 : tensor<?x4x11x8xf32>
}

// Declined: a mirrored border, a border of ones, more channels.
// CHECK-LABEL: @other_pads
// CHECK-COUNT-3: cnn.pad
func.func @other_pads(%x: tensor<?x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %v: tensor<4x4x3x3xf32>) -> (tensor<?x4x8x8xf32>, tensor<?x4x8x8xf32>, tensor<?x4x6x6xf32>) {
  %0 = cnn.pad %x {low = array<i64: 0, 0, 1, 1>, high = array<i64: 0, 0, 1, 1>, mode = #cnn.pad_mode<reflect>} : tensor<?x3x8x8xf32> -> tensor<?x3x10x10xf32>
  %1 = cnn.conv2d %0, %w : tensor<?x3x10x10xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x8x8xf32>
  %2 = cnn.pad %x {low = array<i64: 0, 0, 1, 1>, high = array<i64: 0, 0, 1, 1>, value = 1.0 : f64} : tensor<?x3x8x8xf32> -> tensor<?x3x10x10xf32>
  %3 = cnn.conv2d %2, %w : tensor<?x3x10x10xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x8x8xf32>
  %4 = cnn.pad %x {low = array<i64: 0, 0, 0, 0>, high = array<i64: 0, 1, 0, 0>} : tensor<?x3x8x8xf32> -> tensor<?x4x8x8xf32>
  %5 = cnn.conv2d %4, %v : tensor<?x4x8x8xf32>, tensor<4x4x3x3xf32> -> tensor<?x4x6x6xf32>
  return %1, %3, %5 : tensor<?x4x8x8xf32>, tensor<?x4x8x8xf32>, tensor<?x4x6x6xf32>
}

// CHECK-LABEL: @pad_before_avg_pool
// CHECK-NEXT: cnn.avg_pool %arg0 {count_pad = true, kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>
// CHECK-NEXT: return
func.func @pad_before_avg_pool(%x: tensor<?x3x8x8xf32>) -> tensor<?x3x8x8xf32> {
  %0 = cnn.pad %x {low = array<i64: 0, 0, 1, 1>, high = array<i64: 0, 0, 1, 1>} : tensor<?x3x8x8xf32> -> tensor<?x3x10x10xf32>
  %1 = cnn.avg_pool %0 {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>} : tensor<?x3x10x10xf32> -> tensor<?x3x8x8xf32>
  return %1 : tensor<?x3x8x8xf32>
}

// CHECK-LABEL: @unit_pool
// CHECK-NEXT: return %arg0
func.func @unit_pool(%x: tensor<?x3x8x8xf32>) -> tensor<?x3x8x8xf32> {
  %0 = cnn.max_pool %x {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>} : tensor<?x3x8x8xf32> -> tensor<?x3x8x8xf32>
  return %0 : tensor<?x3x8x8xf32>
}

// CHECK-LABEL: @mean_over_pixels
// CHECK-NEXT: %[[POOL:.*]] = cnn.avg_pool %arg0 {kernel = array<i64: 8, 6>, path = "mean", strides = array<i64: 8, 6>}
// CHECK-NEXT: cnn.reshape %[[POOL]] {path = "mean", shape = array<i64: -1, 3>} : tensor<?x3x1x1xf32> -> tensor<?x3xf32>
func.func @mean_over_pixels(%x: tensor<?x3x8x6xf32>) -> tensor<?x3xf32> {
  %0 = cnn.reduce %x {kind = #cnn.reduce_kind<mean>, dims = array<i64: 2, 3>, path = "mean"} : tensor<?x3x8x6xf32> -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// max(min(x, 6), 0) is relu6, and relu before it changes nothing.
// CHECK-LABEL: @clamps
// CHECK-NEXT: %[[CLAMP:.*]] = cnn.clamp %arg0 {max = 6.000000e+00 : f64, min = 0.000000e+00 : f64, path = "max"}
// CHECK-NEXT: return %[[CLAMP]]
func.func @clamps(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %six = cnn.constant dense<6.0> : tensor<f32>
  %zero = cnn.constant dense<0.0> : tensor<f32>
  %0 = cnn.broadcast %six {dims = array<i64>, shape = array<i64: -1, 3>} : tensor<f32> -> tensor<?x3xf32>
  %1 = cnn.broadcast %zero {dims = array<i64>, shape = array<i64: -1, 3>} : tensor<f32> -> tensor<?x3xf32>
  %2 = cnn.relu %x {path = "relu"} : tensor<?x3xf32> -> tensor<?x3xf32>
  %3 = cnn.min %2, %0 {path = "min"} : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %4 = cnn.max %1, %3 {path = "max"} : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  return %4 : tensor<?x3xf32>
}

// Intervals that don't meet make a number of everything but NaN: declined.
// CHECK-LABEL: @disjoint_clamps
// CHECK-COUNT-2: cnn.clamp
func.func @disjoint_clamps(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %0 = cnn.clamp %x {min = 0.0 : f64, max = 1.0 : f64} : tensor<?x3xf32> -> tensor<?x3xf32>
  %1 = cnn.clamp %0 {min = 2.0 : f64, max = 3.0 : f64} : tensor<?x3xf32> -> tensor<?x3xf32>
  return %1 : tensor<?x3xf32>
}

// Adding +0 turns -0 to +0, so it stays; so does 0 - x.
// CHECK-LABEL: @neutral
// CHECK: %[[SUM:.*]] = cnn.add %arg0,
// CHECK-NEXT: %[[DIFFERENCE:.*]] = cnn.sub {{.*}}, %arg0
// CHECK-NEXT: return %arg0, %[[SUM]], %[[DIFFERENCE]]
func.func @neutral(%x: tensor<?x3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>) {
  %one = cnn.constant dense<1.0> : tensor<3xf32>
  %zero = cnn.constant dense<0.0> : tensor<f32>
  %0 = cnn.broadcast %one {dims = array<i64: 1>, shape = array<i64: -1, 3>} : tensor<3xf32> -> tensor<?x3xf32>
  %1 = cnn.broadcast %zero {dims = array<i64>, shape = array<i64: -1, 3>} : tensor<f32> -> tensor<?x3xf32>
  %2 = cnn.mul %0, %x : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %3 = cnn.div %2, %0 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %4 = cnn.sub %3, %1 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %5 = cnn.neg %4 : tensor<?x3xf32> -> tensor<?x3xf32>
  %6 = cnn.neg %5 : tensor<?x3xf32> -> tensor<?x3xf32>
  %7 = cnn.add %x, %1 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %8 = cnn.sub %1, %x : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  return %6, %7, %8 : tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>
}

// CHECK-LABEL: @add_to_bias
// CHECK-NEXT: cnn.dense %arg0, %arg1 bias %arg2 {path = "dense"}
// CHECK-NEXT: return
func.func @add_to_bias(%x: tensor<?x3xf32>, %w: tensor<4x3xf32>, %b: tensor<4xf32>) -> tensor<?x4xf32> {
  %0 = cnn.dense %x, %w {path = "dense"} : tensor<?x3xf32>, tensor<4x3xf32> -> tensor<?x4xf32>
  %1 = cnn.broadcast %b {dims = array<i64: 1>, shape = array<i64: -1, 4>} : tensor<4xf32> -> tensor<?x4xf32>
  %2 = cnn.add %1, %0 {path = "add"} : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return %2 : tensor<?x4xf32>
}

// Equal but for the path: one is left. What nothing reads is dropped.
// CHECK-LABEL: @equal_and_dead
// CHECK-NEXT: %[[TANH:.*]] = cnn.tanh %arg0 {path = "a"}
// CHECK-NEXT: return %[[TANH]], %[[TANH]]
func.func @equal_and_dead(%x: tensor<?x3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>) {
  %0 = cnn.tanh %x {path = "a"} : tensor<?x3xf32> -> tensor<?x3xf32>
  %1 = cnn.tanh %x {path = "b"} : tensor<?x3xf32> -> tensor<?x3xf32>
  %2 = cnn.exp %x {path = "c"} : tensor<?x3xf32> -> tensor<?x3xf32>
  return %0, %1 : tensor<?x3xf32>, tensor<?x3xf32>
}
