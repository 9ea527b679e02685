// RUN: cnn-opt --cnn-verify-stage=stage=hoist --split-input-file --verify-diagnostics %s

module @state_in_run {
  cnn.param @w : tensor<3xf32>
  func.func @prepare() {
    return
  }
  // expected-error @+1 {{argument 0 of @run has none of cnn.packed, cnn.input}}
  func.func @run(%w: tensor<3xf32> {cnn.state = @w}) -> (tensor<3xf32> {cnn.output = "y"}) {
    return %w : tensor<3xf32>
  }
}

// -----

module @input_in_prepare {
  // expected-error @+1 {{argument 0 of @prepare has none of cnn.state}}
  func.func @prepare(%x: tensor<3xf32> {cnn.input = "x"}) {
    return
  }
  func.func @run() {
    return
  }
}

// -----

module @other_type {
  func.func @prepare() -> (tensor<3xf32> {cnn.packed = 0 : i64}) {
    %0 = cnn.constant dense<1.0> : tensor<3xf32>
    return %0 : tensor<3xf32>
  }
  // expected-error @+1 {{packed value 0 is 'tensor<3xf32>' in @prepare and 'tensor<4xf32>' in @run}}
  func.func @run(%w: tensor<4xf32> {cnn.packed = 0 : i64}) -> (tensor<4xf32> {cnn.output = "y"}) {
    return %w : tensor<4xf32>
  }
}

// -----

module @order {
  func.func @prepare() -> (tensor<3xf32> {cnn.packed = 0 : i64}) {
    %0 = cnn.constant dense<1.0> : tensor<3xf32>
    return %0 : tensor<3xf32>
  }
  // expected-error @+1 {{@prepare gives 1 packed values, which must be the first arguments of @run in order; argument 0 is not}}
  func.func @run(%x: tensor<3xf32> {cnn.input = "x"}, %w: tensor<3xf32> {cnn.packed = 0 : i64}) -> (tensor<3xf32> {cnn.output = "y"}) {
    return %w : tensor<3xf32>
  }
}

// -----

module @batch_norm {
  func.func @prepare() -> (tensor<3xf32> {cnn.packed = 0 : i64}) {
    %0 = cnn.constant dense<1.0> : tensor<3xf32>
    return %0 : tensor<3xf32>
  }
  func.func @run(%v: tensor<3xf32> {cnn.packed = 0 : i64}, %x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "y"}) {
    // expected-error @+1 {{batch normalization must be folded before hoist}}
    %0 = cnn.batch_norm %x, %v, %v, %v, %v {path = "bn"} : tensor<?x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32> -> tensor<?x3xf32>
    return %0 : tensor<?x3xf32>
  }
}
