// RUN: cnn-opt %s -split-input-file -verify-diagnostics --cnn-differentiate | FileCheck %s

// A convolution and momentum: only the gradients that the parameters need, and the velocity as state.
// CHECK-LABEL: module @step
// CHECK: cnn.param @w : tensor<2x1x3x3xf32>
// CHECK-NEXT: cnn.slot @opt.w.velocity : tensor<2x1x3x3xf32>
// CHECK: func.func @train(%[[X:.*]]: tensor<?x1x4x4xf32> {cnn.input = "x"}, %[[RATE:.*]]: tensor<f32> {cnn.hyper = "rate"}, %[[W:.*]]: tensor<2x1x3x3xf32> {cnn.state = @w}, %[[V:.*]]: tensor<2x1x3x3xf32> {cnn.state = @opt.w.velocity})
// CHECK-SAME: -> (tensor<2x1x3x3xf32> {cnn.state = @w}, tensor<f32> {cnn.output = "loss"}, tensor<2x1x3x3xf32> {cnn.state = @opt.w.velocity})
// CHECK: %[[Y:.*]] = cnn.conv2d %[[X]], %[[W]] {path = "c"}
// CHECK: %[[R:.*]] = cnn.relu %[[Y]]
// CHECK: %[[LOSS:.*]] = cnn.reduce
// CHECK: cnn.batch_size {{.*}} {path = "loss.grad"}
// CHECK: %[[STEP:.*]] = cnn.step %[[R]] {path = "r.grad"}
// CHECK: %[[GY:.*]] = cnn.mul %{{.*}}, %[[STEP]] {path = "r.grad"}
// CHECK-NOT: cnn.conv2d_transpose
// CHECK: %[[GW:.*]] = cnn.conv2d_weight_grad %[[X]], %[[GY]] {kernel = array<i64: 3, 3>, path = "c.grad"}
// CHECK: %[[DECAYED:.*]] = cnn.mul %[[V]], %{{.*}} {path = "opt.w"}
// CHECK: %[[NEXT:.*]] = cnn.sub %[[DECAYED]], %{{.*}} {path = "opt.w"}
// CHECK: %[[W1:.*]] = cnn.add %[[W]], %[[NEXT]] {path = "opt.w"}
// CHECK-NOT: cnn.minimize
// CHECK: return %[[W1]], %[[LOSS]], %[[NEXT]]
module @step {
  cnn.param @w : tensor<2x1x3x3xf32>
  func.func @train(%x: tensor<?x1x4x4xf32> {cnn.input = "x"}, %rate: tensor<f32> {cnn.hyper = "rate"}, %w: tensor<2x1x3x3xf32> {cnn.state = @w})
      -> (tensor<2x1x3x3xf32> {cnn.state = @w}, tensor<f32> {cnn.output = "loss"}) {
    %y = cnn.conv2d %x, %w {path = "c"} : tensor<?x1x4x4xf32>, tensor<2x1x3x3xf32> -> tensor<?x2x2x2xf32>
    %r = cnn.relu %y {path = "r"} : tensor<?x2x2x2xf32> -> tensor<?x2x2x2xf32>
    %loss = cnn.reduce %r {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 1, 2, 3>, path = "loss"} : tensor<?x2x2x2xf32> -> tensor<f32>
    %w1 = cnn.minimize %loss over %w rate %rate using #cnn.optimizer<momentum> {path = "opt"}
        : tensor<f32>, tensor<f32>, tensor<2x1x3x3xf32> -> tensor<2x1x3x3xf32>
    return %w1, %loss : tensor<2x1x3x3xf32>, tensor<f32>
  }
}

// -----

// An operation without a rule.
module @refused {
  cnn.param @w : tensor<2x1x1x1xf32>
  func.func @train(%rate: tensor<f32> {cnn.hyper = "rate"}, %w: tensor<2x1x1x1xf32> {cnn.state = @w}) -> (tensor<2x1x1x1xf32> {cnn.state = @w}) {
    // expected-error@+1 {{'cnn.expand_groups' at path 'grouped' has no gradient}}
    %e = cnn.expand_groups %w {groups = 2 : i64, path = "grouped"} : tensor<2x1x1x1xf32> -> tensor<2x2x1x1xf32>
    %loss = cnn.reduce %e {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 1, 2, 3>, path = "loss"} : tensor<2x2x1x1xf32> -> tensor<f32>
    %w1 = cnn.minimize %loss over %w rate %rate using #cnn.optimizer<sgd> {path = "opt"} : tensor<f32>, tensor<f32>, tensor<2x1x1x1xf32> -> tensor<2x1x1x1xf32>
    return %w1 : tensor<2x1x1x1xf32>
  }
}

// -----

// A scaled loss: the gradients are of the product with the scale, divided by it before they are limited; elements that are
// not finite are counted.
// CHECK-LABEL: module @scaled
// CHECK: func.func @train(%{{.*}}: tensor<?x4xf32> {cnn.input = "x"}, %{{.*}}: tensor<f32> {cnn.hyper = "rate"}, %[[SCALE:.*]]: tensor<f32> {cnn.hyper = "loss_scaling.scale"}, %[[W:.*]]: tensor<2x4xf32> {cnn.state = @w})
// CHECK-SAME: -> (tensor<f32> {cnn.output = "loss"}, tensor<f32> {cnn.output = "loss_scaling.overflow"}, tensor<2x4xf32> {cnn.state = @w})
// CHECK: %[[LOSS:.*]] = cnn.reduce
// CHECK: cnn.mul %[[LOSS]], %[[SCALE]]
// CHECK: cnn.mul %{{.*}}, %[[SCALE]] {path = "opt.grad"}
// CHECK: %[[G:.*]] = cnn.matmul
// CHECK: %[[INVERSE:.*]] = cnn.div %{{.*}}, %[[SCALE]]
// CHECK: %[[SPREAD:.*]] = cnn.broadcast %[[INVERSE]]
// CHECK: %[[OWN:.*]] = cnn.mul %[[G]], %[[SPREAD]]
// CHECK: cnn.abs %[[OWN]]
// CHECK: cnn.step
// CHECK: %[[COUNT:.*]] = cnn.reduce %{{.*}} {dims = array<i64: 0, 1>, kind = #cnn.reduce_kind<sum>
// CHECK: cnn.clamp %[[OWN]]
// CHECK: return %[[LOSS]], %[[COUNT]], %
module @scaled {
  cnn.param @w : tensor<2x4xf32>
  func.func @train(%x: tensor<?x4xf32> {cnn.input = "x"}, %rate: tensor<f32> {cnn.hyper = "rate"}, %w: tensor<2x4xf32> {cnn.state = @w})
      -> (tensor<f32> {cnn.output = "loss"}, tensor<2x4xf32> {cnn.state = @w}) {
    %y = cnn.dense %x, %w {path = "d"} : tensor<?x4xf32>, tensor<2x4xf32> -> tensor<?x2xf32>
    %loss = cnn.reduce %y {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 1>, path = "loss"} : tensor<?x2xf32> -> tensor<f32>
    %w1 = cnn.minimize %loss over %w rate %rate using #cnn.optimizer<sgd> {clip_value = 1.0 : f64, loss_scaling, path = "opt"}
        : tensor<f32>, tensor<f32>, tensor<2x4xf32> -> tensor<2x4xf32>
    return %loss, %w1 : tensor<f32>, tensor<2x4xf32>
  }
}
