// RUN: cnn-opt %s -split-input-file -verify-diagnostics -o /dev/null

// state_c1
// expected-error@+1 {{'cnn.param' op state_c1: the type of a state variable must be static, not 'tensor<?x4xf32>'}}
cnn.param @w : tensor<?x4xf32>

// -----

// counter_c1
// expected-error@+1 {{'cnn.counter' op counter_c1: a counter is an integer, not 'tensor<f32>'}}
cnn.counter @step : tensor<f32>

// -----

// two variables of one name
// expected-note@+1 {{see existing symbol definition here}}
cnn.param @w : tensor<4xf32>
// expected-error@+1 {{redefinition of symbol named 'w'}}
cnn.statistic @w : tensor<4xf32>

// -----

// cnn.state names a variable
// expected-error@+1 {{'cnn.state' of argument 0: there is no state variable @w}}
func.func @f(%w: tensor<4xf32> {cnn.state = @w}) { return }

// -----

// cnn.state names what is a variable
func.func private @w()
// expected-error@+1 {{'cnn.state' of argument 0: there is no state variable @w}}
func.func @f(%w: tensor<4xf32> {cnn.state = @w}) { return }

// -----

// cnn.state is a name
// expected-error@+1 {{'cnn.state' of argument 0 must name a state variable}}
func.func @f(%w: tensor<4xf32> {cnn.state = 0 : i64}) { return }

// -----

// an argument has the type of its variable
cnn.param @w : tensor<4xf32>
// expected-error@+1 {{'cnn.state' of argument 0: @w is 'tensor<4xf32>', the argument is 'tensor<3xf32>'}}
func.func @f(%w: tensor<3xf32> {cnn.state = @w}) { return }

// -----

// a result has the type of its variable
cnn.param @w : tensor<4xf32>
// expected-error@+1 {{'cnn.state' of result 0: @w is 'tensor<4xf32>', the result is 'tensor<2x2xf32>'}}
func.func @f(%w: tensor<2x2xf32>) -> (tensor<2x2xf32> {cnn.state = @w}) { return %w : tensor<2x2xf32> }

// -----

// cnn.packed is an index
// expected-error@+1 {{'cnn.packed' of argument 0 must be an integer}}
func.func @f(%w: tensor<4xf32> {cnn.packed = "w"}) { return }

// -----

// cnn.input is a name
// expected-error@+1 {{'cnn.input' of argument 0 must be a string}}
func.func @f(%w: tensor<4xf32> {cnn.input = 1 : i64}) { return }

// -----

// cnn.output belongs on a result
// expected-error@+1 {{'cnn.output' has no meaning on argument 0}}
func.func @f(%w: tensor<4xf32> {cnn.output = "y"}) { return }

// -----

// cnn.preprocess is a list
// expected-error@+1 {{'cnn.preprocess' of argument 0 must be an array of steps}}
func.func @f(%w: tensor<4xf32> {cnn.preprocess = 1 : i64}) { return }

// -----

// an attribute that nobody knows
// expected-error@+1 {{'cnn.imput' has no meaning on argument 0}}
func.func @f(%w: tensor<4xf32> {cnn.imput = "x"}) { return }

// -----

// layout_c1
// expected-error@+1 {{layout_c1: 'outer' must be a permutation of the dimensions}}
func.func @f(%x: tensor<4x4xf32, #cnn.layout<outer = [0, 0]>>) { return }

// -----

// layout_c3: beyond the rank
// expected-error@+1 {{layout_c3: 'inner' must tile dimensions below 2, each once}}
func.func @f(%x: tensor<4x4xf32, #cnn.layout<outer = [0, 1], inner = [2 : 16]>>) { return }

// -----

// layout_c3: twice
// expected-error@+1 {{layout_c3: 'inner' must tile dimensions below 2, each once}}
func.func @f(%x: tensor<4x4xf32, #cnn.layout<outer = [0, 1], inner = [1 : 4, 1 : 4]>>) { return }

// -----

// layout_c4
// expected-error@+1 {{layout_c4: a tile's size must be positive}}
func.func @f(%x: tensor<4x4xf32, #cnn.layout<outer = [0, 1], inner = [1 : 0]>>) { return }

// -----

// layout_c5
// expected-error@+1 {{layout_c5: a layout of 2 dimensions on a tensor of rank 1}}
func.func @f(%x: tensor<4xf32, #cnn.layout<outer = [0, 1]>>) { return }

// -----

// relayout_c1
func.func @f(%x: tensor<4x4xf32>) -> tensor<4x3xf32> {
  // expected-error@+1 {{'cnn.relayout' op relayout_c1: only the layout may change, not 'tensor<4x4xf32>' to 'tensor<4x3xf32>'}}
  %0 = cnn.relayout %x : tensor<4x4xf32> -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// -----

// group_c1
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.group' op group_c1: the body must take one argument of the same type for each operand}}
  %0 = "cnn.group"(%x) <{kind = "elementwise", path = "g"}> ({
  ^bb0(%a: tensor<?x9xf32>):
    cnn.yield %a : tensor<?x9xf32>
  }) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// group_c2: the body ends with cnn.yield
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.group' op group_c2: the body must end with cnn.yield}}
  %0 = "cnn.group"(%x) <{kind = "elementwise", path = "g"}> ({
  ^bb0(%a: tensor<?x8xf32>):
    %1 = cnn.relu %a : tensor<?x8xf32> -> tensor<?x8xf32>
  }) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// group_c2: the yield has the types of the results
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x9xf32> {
  // expected-error@+1 {{'cnn.group' op group_c2: the body yields 'tensor<?x8xf32>', the group's results are 'tensor<?x9xf32>'}}
  %0 = cnn.group "g" kind "elementwise" (%a = %x : tensor<?x8xf32>) -> tensor<?x9xf32> {
    cnn.yield %a : tensor<?x8xf32>
  }
  return %0 : tensor<?x9xf32>
}

// -----

// group_c3
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.group' op group_c3: 'avx2' is not a schedule: 1 : i64}}
  %0 = cnn.group "g" kind "elementwise" (%a = %x : tensor<?x8xf32>) -> tensor<?x8xf32> attributes {schedules = {avx2 = 1 : i64}} {
    cnn.yield %a : tensor<?x8xf32>
  }
  return %0 : tensor<?x8xf32>
}

// -----

// group_c4
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.group' op group_c4: not a placement: 1 : i64}}
  %0 = cnn.group "g" kind "elementwise" (%a = %x : tensor<?x8xf32>) -> tensor<?x8xf32> attributes {placements = [1 : i64]} {
    cnn.yield %a : tensor<?x8xf32>
  }
  return %0 : tensor<?x8xf32>
}

// -----

// a group sees its operands only
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-note@+1 {{required by region isolation constraints}}
  %0 = cnn.group "g" kind "elementwise" (%a = %x : tensor<?x8xf32>) -> tensor<?x8xf32> {
    // expected-error@+1 {{'cnn.relu' op using value defined outside the region}}
    %1 = cnn.relu %x : tensor<?x8xf32> -> tensor<?x8xf32>
    cnn.yield %1 : tensor<?x8xf32>
  }
  return %0 : tensor<?x8xf32>
}

// -----

// cnn.yield ends groups only
func.func @f() {
  // expected-error@+1 {{'cnn.yield' op expects parent op 'cnn.group'}}
  cnn.yield
}
