// RUN: cnn-opt --cnn-fuse --cnn-verify-stage=stage=fuse --split-input-file %s | FileCheck %s

// The update of a parameter and its momentum is one group with two results.
// CHECK-LABEL: module @update
// CHECK: %[[U:.*]]:2 = cnn.group "opt" kind "elementwise"
// CHECK-DAG: cnn.mul
// CHECK-DAG: cnn.sub
// CHECK-DAG: cnn.add
// CHECK: cnn.yield %{{.*}}, %{{.*}} : tensor<4x2xf32>, tensor<4x2xf32>
// CHECK-NOT: cnn.group
// CHECK: return %[[U]]#{{[01]}}, %[[U]]#{{[01]}}
module @update {
  cnn.param @w : tensor<4x2xf32>
  cnn.slot @v : tensor<4x2xf32>
  func.func @run(%g: tensor<4x2xf32> {cnn.input = "g"}, %rate: tensor<f32> {cnn.hyper = "rate"},
                 %w: tensor<4x2xf32> {cnn.state = @w}, %v: tensor<4x2xf32> {cnn.state = @v})
      -> (tensor<4x2xf32> {cnn.state = @w}, tensor<4x2xf32> {cnn.state = @v}) {
    %r = cnn.broadcast %rate {dims = array<i64>, shape = array<i64: 4, 2>, path = "opt"} : tensor<f32> -> tensor<4x2xf32>
    %0 = cnn.mul %g, %r {path = "opt"} : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
    %1 = cnn.add %v, %v {path = "opt"} : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
    %2 = cnn.sub %1, %0 {path = "opt"} : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
    %3 = cnn.add %w, %2 {path = "opt"} : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
    return %3, %2 : tensor<4x2xf32>, tensor<4x2xf32>
  }
}

// -----

// Batch statistics: what is summed is computed by the reduction, x - mean by everyone who reads it, and two sums over one
// tensor are one pass. Nothing of the shape of x is stored but the result.
// CHECK-LABEL: module @statistics
// CHECK: %[[MEAN:.*]] = cnn.group "mean"
// CHECK: %[[Y:.*]] = cnn.group {{.*}} -> tensor<?x8x4x4xf32>
// CHECK: cnn.sub
// CHECK: cnn.tanh
// CHECK: %[[SUMS:.*]]:2 = cnn.group {{.*}} -> (tensor<8xf32>, tensor<8xf32>)
// CHECK: cnn.sub
// CHECK: cnn.mul
// CHECK: cnn.reduce
// CHECK: cnn.abs
// CHECK: cnn.reduce
// CHECK: return %[[Y]], %[[SUMS]]#{{[01]}}, %[[SUMS]]#{{[01]}}
module @statistics {
  func.func @run(%x: tensor<?x8x4x4xf32> {cnn.input = "x"})
      -> (tensor<?x8x4x4xf32> {cnn.output = "y"}, tensor<8xf32> {cnn.output = "squares"}, tensor<8xf32> {cnn.output = "deviation"}) {
    %mean = cnn.reduce %x {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 2, 3>, path = "mean"} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    %b = cnn.broadcast %mean {dims = array<i64: 1>, shape = array<i64: -1, 8, 4, 4>, path = "b"} : tensor<8xf32> -> tensor<?x8x4x4xf32>
    %d = cnn.sub %x, %b {path = "d"} : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %q = cnn.mul %d, %d {path = "q"} : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %a = cnn.abs %d {path = "a"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %squares = cnn.reduce %q {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 2, 3>, path = "squares"} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    %deviation = cnn.reduce %a {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 2, 3>, path = "deviation"} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    %y = cnn.tanh %d {path = "y"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    return %y, %squares, %deviation : tensor<?x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>
  }
}

// -----

// The step of a relu is computed where the backward pass needs it, from the relu's result; the convolution stores that alone.
// CHECK-LABEL: module @backward
// CHECK: %[[R:.*]] = cnn.group "c" kind "conv2d" {{.*}} -> tensor<?x8x4x4xf32>
// CHECK: cnn.relu
// CHECK-NOT: cnn.step
// CHECK: cnn.yield
// CHECK: cnn.group {{.*}} = %[[R]]
// CHECK: cnn.step
// CHECK: cnn.mul
module @backward {
  cnn.param @w : tensor<8x8x1x1xf32>
  func.func @run(%x: tensor<?x8x4x4xf32> {cnn.input = "x"}, %g: tensor<?x8x4x4xf32> {cnn.input = "g"}, %w: tensor<8x8x1x1xf32> {cnn.state = @w})
      -> (tensor<?x8x4x4xf32> {cnn.output = "r"}, tensor<?x8x4x4xf32> {cnn.output = "dx"}) {
    %c = cnn.conv2d %x, %w {path = "c"} : tensor<?x8x4x4xf32>, tensor<8x8x1x1xf32> -> tensor<?x8x4x4xf32>
    %r = cnn.relu %c {path = "r"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %s = cnn.step %r {path = "r.grad"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %e = cnn.exp %g {path = "e"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %dx = cnn.mul %e, %s {path = "r.grad"} : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    return %r, %dx : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32>
  }
}

// -----

// What a convolution's gradient is multiplied by: those who read the products compute them, and the convolution stores one
// tensor. Two sums are one pass over it and x.
// CHECK-LABEL: module @products
// CHECK: %[[C:.*]] = cnn.group "c.grad" kind "conv2d" {{.*}} -> tensor<?x8x4x4xf32>
// CHECK: cnn.conv2d
// CHECK-NEXT: cnn.yield
// CHECK: %[[SUMS:.*]]:2 = cnn.group {{.*}} = %[[C]] {{.*}} -> (tensor<8xf32>, tensor<8xf32>)
// CHECK: cnn.group "y" {{.*}} -> tensor<?x8x4x4xf32>
// CHECK-DAG: cnn.mul
// CHECK-DAG: cnn.add
// CHECK-NOT: cnn.group
module @products {
  cnn.param @w : tensor<8x8x3x3xf32>
  cnn.param @f : tensor<8xf32>
  func.func @run(%g: tensor<?x8x4x4xf32> {cnn.input = "g"}, %x: tensor<?x8x4x4xf32> {cnn.input = "x"},
                 %w: tensor<8x8x3x3xf32> {cnn.state = @w}, %f: tensor<8xf32> {cnn.state = @f})
      -> (tensor<?x8x4x4xf32> {cnn.output = "y"}, tensor<8xf32> {cnn.output = "sum"}) {
    %c = cnn.conv2d %g, %w {padding = array<i64: 1, 1, 1, 1>, path = "c.grad"} : tensor<?x8x4x4xf32>, tensor<8x8x3x3xf32> -> tensor<?x8x4x4xf32>
    %fs = cnn.broadcast %f {dims = array<i64: 1>, shape = array<i64: -1, 8, 4, 4>, path = "n.grad"} : tensor<8xf32> -> tensor<?x8x4x4xf32>
    %p = cnn.mul %c, %fs {path = "n.grad"} : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %q = cnn.mul %c, %x {path = "n.grad"} : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %sum = cnn.reduce %c {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 2, 3>, path = "sum"} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    %dot = cnn.reduce %q {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 2, 3>, path = "dot"} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    %dots = cnn.broadcast %dot {dims = array<i64: 1>, shape = array<i64: -1, 8, 4, 4>, path = "y"} : tensor<8xf32> -> tensor<?x8x4x4xf32>
    %y = cnn.add %p, %dots {path = "y"} : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    return %y, %sum : tensor<?x8x4x4xf32>, tensor<8xf32>
  }
}
