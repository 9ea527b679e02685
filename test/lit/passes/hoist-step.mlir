// RUN: cnn-opt --cnn-verify-stage=stage=differentiate --cnn-hoist --cnn-verify-stage=stage=hoist %s | FileCheck %s

// The state of a step changes from call to call: nothing is prepared, the function gets its name.
// CHECK-NOT: func.func @prepare
// CHECK-NOT: func.func @step
// CHECK: func.func @run(%{{.*}}: tensor<?x4xf32> {cnn.input = "x"}, %{{.*}}: tensor<f32> {cnn.hyper = "rate"}, %{{.*}}: tensor<4xf32> {cnn.state = @w})
// CHECK-SAME: -> (tensor<4xf32> {cnn.state = @w})
// CHECK-NOT: func.func
module @step_of_one {
  cnn.param @w : tensor<4xf32>
  func.func @step(%x: tensor<?x4xf32> {cnn.input = "x"}, %rate: tensor<f32> {cnn.hyper = "rate"}, %w: tensor<4xf32> {cnn.state = @w})
      -> (tensor<4xf32> {cnn.state = @w}) {
    %0 = cnn.reduce %x {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0>, path = "sum"} : tensor<?x4xf32> -> tensor<4xf32>
    %1 = cnn.add %w, %0 {path = "add"} : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
    return %1 : tensor<4xf32>
  }
}
