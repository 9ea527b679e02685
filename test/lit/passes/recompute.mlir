// RUN: cnn-opt %s --cnn-differentiate --cnn-simplify | FileCheck %s

// What the region 0 computes is computed again in the backward pass, each operation before the first gradient that needs
// it: `c`, `t` and the draw, which keeps the path that its values depend on. `s` is saved because the gradient of `q`,
// outside the region, reads it, `k` because it is to be kept, and `m` because it has no batch; the new statistic is
// computed once. Copies are not merged with the originals, though they are the same but for the mark.
// CHECK-LABEL: func.func @step
// CHECK: %[[C:.*]] = cnn.conv2d %[[X:.*]], %[[W:.*]] {path = "c"}
// CHECK: %[[T:.*]] = cnn.tanh %[[C]] {path = "t"}
// CHECK: %[[M:.*]] = cnn.reduce %[[T]] {{.*}}path = "m"}
// CHECK: %[[K:.*]] = cnn.exp {{.*}} {cnn.keep, path = "k"}
// CHECK: %[[U:.*]] = cnn.random_uniform {{.*}} {path = "d"
// CHECK: %[[S:.*]] = cnn.sigmoid {{.*}} {path = "s"}
// CHECK: %[[LOSS:.*]] = cnn.reduce {{.*}}path = "loss"
// CHECK-NOT: cnn.recomputed
// CHECK: cnn.sub %{{.*}}, %[[S]] {path = "s.grad"}
// CHECK: %[[U2:.*]] = cnn.random_uniform %{{.*}}, %{{.*}} like %[[K]] {cnn.recomputed = 0 : i64, path = "d"
// CHECK-NEXT: cnn.mul %{{.*}}, %[[U2]] {path = "e.grad"}
// CHECK-NEXT: %[[G:.*]] = cnn.mul %{{.*}}, %[[K]] {path = "k.grad"}
// CHECK: %[[C2:.*]] = cnn.conv2d %[[X]], %[[W]] {cnn.recomputed = 0 : i64, path = "c.again"}
// CHECK-NEXT: %[[T2:.*]] = cnn.tanh %[[C2]] {cnn.recomputed = 0 : i64, path = "t.again"}
// CHECK-NEXT: cnn.mul %[[G]], %[[T2]] {path = "n.grad"}
// CHECK-NOT: cnn.recompute =
// CHECK-NOT: cnn.recomputed
module @net {
  cnn.param @w : tensor<4x4x1x1xf32>
  cnn.statistic @mean : tensor<4xf32>
  func.func @step(%x: tensor<?x4x8x8xf32> {cnn.input = "x"}, %rate: tensor<f32> {cnn.hyper = "rate"}, %seed: tensor<i64> {cnn.hyper = "seed"},
                  %number: tensor<i64> {cnn.hyper = "step"}, %w: tensor<4x4x1x1xf32> {cnn.state = @w}, %mean: tensor<4xf32> {cnn.state = @mean})
      -> (tensor<f32> {cnn.output = "loss"}, tensor<4x4x1x1xf32> {cnn.state = @w}, tensor<4xf32> {cnn.state = @mean}) {
    %c = cnn.conv2d %x, %w {cnn.recompute = 0 : i64, path = "c"} : tensor<?x4x8x8xf32>, tensor<4x4x1x1xf32> -> tensor<?x4x8x8xf32>
    %t = cnn.tanh %c {cnn.recompute = 0 : i64, path = "t"} : tensor<?x4x8x8xf32> -> tensor<?x4x8x8xf32>
    %m = cnn.reduce %t {cnn.recompute = 0 : i64, kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 2, 3>, path = "m"} : tensor<?x4x8x8xf32> -> tensor<4xf32>
    %next = cnn.add %mean, %m {cnn.recompute = 0 : i64, path = "m"} : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
    %spread = cnn.broadcast %m {cnn.recompute = 0 : i64, dims = array<i64: 1>, shape = array<i64: -1, 4, 8, 8>, path = "m"} : tensor<4xf32> -> tensor<?x4x8x8xf32>
    %n = cnn.mul %t, %spread {cnn.recompute = 0 : i64, path = "n"} : tensor<?x4x8x8xf32>, tensor<?x4x8x8xf32> -> tensor<?x4x8x8xf32>
    %k = cnn.exp %n {cnn.keep, cnn.recompute = 0 : i64, path = "k"} : tensor<?x4x8x8xf32> -> tensor<?x4x8x8xf32>
    %u = cnn.random_uniform %seed, %number like %k {cnn.recompute = 0 : i64, path = "d", shape = array<i64: -1, 4, 8, 8>} : tensor<i64>, tensor<i64>, tensor<?x4x8x8xf32> -> tensor<?x4x8x8xf32>
    %e = cnn.mul %k, %u {cnn.recompute = 0 : i64, path = "e"} : tensor<?x4x8x8xf32>, tensor<?x4x8x8xf32> -> tensor<?x4x8x8xf32>
    %s = cnn.sigmoid %e {cnn.recompute = 0 : i64, path = "s"} : tensor<?x4x8x8xf32> -> tensor<?x4x8x8xf32>
    %q = cnn.mul %s, %s {path = "q"} : tensor<?x4x8x8xf32>, tensor<?x4x8x8xf32> -> tensor<?x4x8x8xf32>
    %loss = cnn.reduce %q {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 1, 2, 3>, path = "loss"} : tensor<?x4x8x8xf32> -> tensor<f32>
    %w1 = cnn.minimize %loss over %w rate %rate using #cnn.optimizer<sgd> {path = "opt"}
        : tensor<f32>, tensor<f32>, tensor<4x4x1x1xf32> -> tensor<4x4x1x1xf32>
    return %loss, %w1, %next : tensor<f32>, tensor<4x4x1x1xf32>, tensor<4xf32>
  }
}
