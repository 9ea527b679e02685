// Training of a two-layer perceptron on XOR, written by hand as the differentiation transform will write it:
// (state, inputs, hyper) -> (state', loss), pure, each new state tied to its variable.
module @xor {
  cnn.param @w1 : tensor<4x2xf32> init #cnn.init<xavier>
  cnn.param @b1 : tensor<4xf32> init #cnn.init<zeros>
  cnn.param @w2 : tensor<1x4xf32> init #cnn.init<xavier>
  cnn.param @b2 : tensor<1xf32> init #cnn.init<zeros>
  cnn.counter @step : tensor<i64>

  func.func @infer(%x: tensor<?x2xf32> {cnn.input = "x"}, %w1: tensor<4x2xf32> {cnn.state = @w1}, %b1: tensor<4xf32> {cnn.state = @b1},
                   %w2: tensor<1x4xf32> {cnn.state = @w2}, %b2: tensor<1xf32> {cnn.state = @b2}) -> (tensor<?x1xf32> {cnn.output = "logit"}) {
    %a = cnn.dense %x, %w1 bias %b1 : tensor<?x2xf32>, tensor<4x2xf32>, tensor<4xf32> -> tensor<?x4xf32>
    %h = cnn.tanh %a : tensor<?x4xf32> -> tensor<?x4xf32>
    %z = cnn.dense %h, %w2 bias %b2 : tensor<?x4xf32>, tensor<1x4xf32>, tensor<1xf32> -> tensor<?x1xf32>
    return %z : tensor<?x1xf32>
  }

  func.func @train(%x: tensor<?x2xf32> {cnn.input = "x"}, %t: tensor<?x1xf32> {cnn.input = "t"}, %rate: tensor<f32> {cnn.input = "rate"},
                   %w1: tensor<4x2xf32> {cnn.state = @w1}, %b1: tensor<4xf32> {cnn.state = @b1}, %w2: tensor<1x4xf32> {cnn.state = @w2},
                   %b2: tensor<1xf32> {cnn.state = @b2}, %step: tensor<i64> {cnn.state = @step})
      -> (tensor<4x2xf32> {cnn.state = @w1}, tensor<4xf32> {cnn.state = @b1}, tensor<1x4xf32> {cnn.state = @w2},
          tensor<1xf32> {cnn.state = @b2}, tensor<i64> {cnn.state = @step}, tensor<f32> {cnn.output = "loss"}) {
    // Noise on the inputs, new at each step.
    %seed = cnn.constant dense<2026> : tensor<i64>
    %noise = cnn.random_uniform %seed, %step like %x {shape = array<i64: -1, 2>, low = -0.05 : f64, high = 0.05 : f64, path = "noise"} : tensor<i64>, tensor<i64>, tensor<?x2xf32> -> tensor<?x2xf32>
    %xn = cnn.add %x, %noise : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>

    // Forward: loss = mean of -(t log p + (1 - t) log(1 - p)), p = sigmoid(z).
    %a = cnn.dense %xn, %w1 bias %b1 : tensor<?x2xf32>, tensor<4x2xf32>, tensor<4xf32> -> tensor<?x4xf32>
    %h = cnn.tanh %a : tensor<?x4xf32> -> tensor<?x4xf32>
    %z = cnn.dense %h, %w2 bias %b2 : tensor<?x4xf32>, tensor<1x4xf32>, tensor<1xf32> -> tensor<?x1xf32>
    %p = cnn.sigmoid %z : tensor<?x1xf32> -> tensor<?x1xf32>
    %one = cnn.constant dense<1.0> : tensor<1xf32>
    %ones = cnn.broadcast %one {dims = array<i64: 1>, shape = array<i64: -1, 1>} : tensor<1xf32> -> tensor<?x1xf32>
    %q = cnn.sub %ones, %p : tensor<?x1xf32>, tensor<?x1xf32> -> tensor<?x1xf32>
    %u = cnn.sub %ones, %t : tensor<?x1xf32>, tensor<?x1xf32> -> tensor<?x1xf32>
    %lp = cnn.log %p : tensor<?x1xf32> -> tensor<?x1xf32>
    %lq = cnn.log %q : tensor<?x1xf32> -> tensor<?x1xf32>
    %tlp = cnn.mul %t, %lp : tensor<?x1xf32>, tensor<?x1xf32> -> tensor<?x1xf32>
    %ulq = cnn.mul %u, %lq : tensor<?x1xf32>, tensor<?x1xf32> -> tensor<?x1xf32>
    %s = cnn.add %tlp, %ulq : tensor<?x1xf32>, tensor<?x1xf32> -> tensor<?x1xf32>
    %m = cnn.reduce %s {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 1>} : tensor<?x1xf32> -> tensor<f32>
    %loss = cnn.neg %m : tensor<f32> -> tensor<f32>

    // Backward: dloss/dz = (p - t) / N, N the sum of ones.
    %n = cnn.reduce %ones {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0>} : tensor<?x1xf32> -> tensor<1xf32>
    %ns = cnn.broadcast %n {dims = array<i64: 1>, shape = array<i64: -1, 1>} : tensor<1xf32> -> tensor<?x1xf32>
    %d = cnn.sub %p, %t : tensor<?x1xf32>, tensor<?x1xf32> -> tensor<?x1xf32>
    %dz = cnn.div %d, %ns : tensor<?x1xf32>, tensor<?x1xf32> -> tensor<?x1xf32>
    %dw2 = cnn.matmul %dz, %h {transpose_lhs = true} : tensor<?x1xf32>, tensor<?x4xf32> -> tensor<1x4xf32>
    %db2 = cnn.reduce %dz {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0>} : tensor<?x1xf32> -> tensor<1xf32>
    %dh = cnn.matmul %dz, %w2 : tensor<?x1xf32>, tensor<1x4xf32> -> tensor<?x4xf32>
    %hh = cnn.mul %h, %h : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
    %dhh = cnn.mul %dh, %hh : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
    %da = cnn.sub %dh, %dhh : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
    %dw1 = cnn.matmul %da, %xn {transpose_lhs = true} : tensor<?x4xf32>, tensor<?x2xf32> -> tensor<4x2xf32>
    %db1 = cnn.reduce %da {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0>} : tensor<?x4xf32> -> tensor<4xf32>

    // Update: w - rate * dw; the step counts.
    %r_w1 = cnn.broadcast %rate {dims = array<i64>, shape = array<i64: 4, 2>} : tensor<f32> -> tensor<4x2xf32>
    %r_b1 = cnn.broadcast %rate {dims = array<i64>, shape = array<i64: 4>} : tensor<f32> -> tensor<4xf32>
    %r_w2 = cnn.broadcast %rate {dims = array<i64>, shape = array<i64: 1, 4>} : tensor<f32> -> tensor<1x4xf32>
    %r_b2 = cnn.broadcast %rate {dims = array<i64>, shape = array<i64: 1>} : tensor<f32> -> tensor<1xf32>
    %s_w1 = cnn.mul %dw1, %r_w1 : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
    %s_b1 = cnn.mul %db1, %r_b1 : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
    %s_w2 = cnn.mul %dw2, %r_w2 : tensor<1x4xf32>, tensor<1x4xf32> -> tensor<1x4xf32>
    %s_b2 = cnn.mul %db2, %r_b2 : tensor<1xf32>, tensor<1xf32> -> tensor<1xf32>
    %w1_new = cnn.sub %w1, %s_w1 : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
    %b1_new = cnn.sub %b1, %s_b1 : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
    %w2_new = cnn.sub %w2, %s_w2 : tensor<1x4xf32>, tensor<1x4xf32> -> tensor<1x4xf32>
    %b2_new = cnn.sub %b2, %s_b2 : tensor<1xf32>, tensor<1xf32> -> tensor<1xf32>
    %count = cnn.constant dense<1> : tensor<i64>
    %step_new = cnn.add %step, %count : tensor<i64>, tensor<i64> -> tensor<i64>
    return %w1_new, %b1_new, %w2_new, %b2_new, %step_new, %loss : tensor<4x2xf32>, tensor<4xf32>, tensor<1x4xf32>, tensor<1xf32>, tensor<i64>, tensor<f32>
  }
}
