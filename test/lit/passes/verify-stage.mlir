// RUN: cnn-opt --cnn-verify-stage=stage=elaborate --split-input-file --verify-diagnostics %s

// expected-error @+1 {{there is no function @infer of one block}}
module @no_function {
}

// -----

module @no_path {
  func.func @infer(%x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "y"}) {
    // expected-error @+1 {{has no path}}
    %0 = cnn.tanh %x : tensor<?x3xf32> -> tensor<?x3xf32>
    return %0 : tensor<?x3xf32>
  }
}

// -----

module @no_name {
  // expected-error @+1 {{argument 0 of @infer has none of cnn.input, cnn.state}}
  func.func @infer(%x: tensor<?x3xf32>) -> (tensor<?x3xf32> {cnn.output = "y"}) {
    return %x : tensor<?x3xf32>
  }
}

// -----

module @no_output_name {
  // expected-error @+1 {{result 0 of @infer has no cnn.output}}
  func.func @infer(%x: tensor<?x3xf32> {cnn.input = "x"}) -> tensor<?x3xf32> {
    return %x : tensor<?x3xf32>
  }
}

// -----

module @two {
  func.func @infer(%x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "y"}) {
    return %x : tensor<?x3xf32>
  }
  // expected-error @+1 {{@other is a second function beside @infer}}
  func.func @other() {
    return
  }
}

// -----

module @layout {
  func.func @infer(%x: tensor<?x16x1x1xf32> {cnn.input = "x"}) -> (tensor<?x16x1x1xf32> {cnn.output = "y"}) {
    // expected-error @+1 {{has a layout before layouts are chosen}}
    %0 = cnn.tanh %x {path = "tanh"} : tensor<?x16x1x1xf32> -> tensor<?x16x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
    %1 = cnn.tanh %0 {path = "tanh"} : tensor<?x16x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>> -> tensor<?x16x1x1xf32>
    return %1 : tensor<?x16x1x1xf32>
  }
}
