// RUN: cnn-opt --cnn-verify-stage=stage=layout --split-input-file --verify-diagnostics %s
// RUN: not cnn-opt --cnn-verify-stage=stage=fusion %s 2>&1 | FileCheck --check-prefix=STAGE %s
// STAGE: error: there is no stage 'fusion'; the stages are elaborate, simplify, differentiate, hoist, fuse, layout, schedule, plan

module @not_a_group {
  func.func @prepare() {
    return
  }
  func.func @run(%x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "y"}) {
    // expected-error @+1 {{@run must consist of groups, not 'cnn.tanh'}}
    %0 = cnn.tanh %x {path = "tanh"} : tensor<?x3xf32> -> tensor<?x3xf32>
    return %0 : tensor<?x3xf32>
  }
}

// -----

module @input_is_output {
  func.func @prepare() {
    return
  }
  // expected-error @+1 {{output 0 must be the result of a group}}
  func.func @run(%x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "y"}) {
    return %x : tensor<?x3xf32>
  }
}

// -----

module @twice {
  func.func @prepare() {
    return
  }
  // expected-error @+1 {{output 1 is another output, too}}
  func.func @run(%x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "y"}, tensor<?x3xf32> {cnn.output = "z"}) {
    %0 = cnn.group "tanh" kind "elementwise" (%a = %x : tensor<?x3xf32>) -> tensor<?x3xf32> {
      %1 = cnn.tanh %a {path = "tanh"} : tensor<?x3xf32> -> tensor<?x3xf32>
      cnn.yield %1 : tensor<?x3xf32>
    }
    return %0, %0 : tensor<?x3xf32>, tensor<?x3xf32>
  }
}

// -----

module @blocked_output {
  func.func @prepare() {
    return
  }
  // expected-error @+1 {{output 0 must be row-major}}
  func.func @run(%x: tensor<?x3x1x1xf32> {cnn.input = "x"}) -> (tensor<?x3x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>> {cnn.output = "y"}) {
    %0 = cnn.group "x" kind "copy" (%a = %x : tensor<?x3x1x1xf32>) -> tensor<?x3x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>> {
      %1 = cnn.relayout %a : tensor<?x3x1x1xf32> -> tensor<?x3x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
      cnn.yield %1 : tensor<?x3x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
    }
    return %0 : tensor<?x3x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>
  }
}
