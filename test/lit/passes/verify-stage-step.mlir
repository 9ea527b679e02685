// RUN: cnn-opt --cnn-verify-stage=stage=differentiate --split-input-file --verify-diagnostics %s

module @no_argument {
  cnn.param @w : tensor<3xf32>
  // expected-error @+1 {{@w, which result 0 gives anew, must be one argument of @step and one result}}
  func.func @step(%x: tensor<3xf32> {cnn.input = "x"}) -> (tensor<3xf32> {cnn.state = @w}) {
    return %x : tensor<3xf32>
  }
}

// -----

module @twice {
  cnn.param @w : tensor<3xf32>
  // expected-error @+1 {{@w is an argument of @step twice}}
  func.func @step(%w: tensor<3xf32> {cnn.state = @w}, %v: tensor<3xf32> {cnn.state = @w}) -> (tensor<3xf32> {cnn.state = @w}) {
    return %w : tensor<3xf32>
  }
}

// -----

module @left_over {
  func.func @step(%x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "y"}) {
    // expected-error @+1 {{does not belong into a differentiated function}}
    %0 = cnn.stop_gradient %x {path = "stop"} : tensor<?x3xf32> -> tensor<?x3xf32>
    return %0 : tensor<?x3xf32>
  }
}
