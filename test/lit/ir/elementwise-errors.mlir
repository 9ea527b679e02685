// RUN: cnn-opt %s -split-input-file -verify-diagnostics -o /dev/null

// binary_c1
func.func @f(%x: tensor<?x8xf32>, %y: tensor<8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.add' op binary_c1: the operands must have the same shape and element type, not 'tensor<?x8xf32>' and 'tensor<8xf32>'}}
  %0 = cnn.add %x, %y : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// binary_c1
func.func @f(%x: tensor<?x8xf32>, %y: tensor<8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.sub' op binary_c1: the operands must have the same shape and element type, not 'tensor<?x8xf32>' and 'tensor<8xf32>'}}
  %0 = cnn.sub %x, %y : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// binary_c1
func.func @f(%x: tensor<?x8xf32>, %y: tensor<8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.mul' op binary_c1: the operands must have the same shape and element type, not 'tensor<?x8xf32>' and 'tensor<8xf32>'}}
  %0 = cnn.mul %x, %y : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// binary_c1
func.func @f(%x: tensor<?x8xf32>, %y: tensor<8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.div' op binary_c1: the operands must have the same shape and element type, not 'tensor<?x8xf32>' and 'tensor<8xf32>'}}
  %0 = cnn.div %x, %y : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// binary_c1
func.func @f(%x: tensor<?x8xf32>, %y: tensor<8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.max' op binary_c1: the operands must have the same shape and element type, not 'tensor<?x8xf32>' and 'tensor<8xf32>'}}
  %0 = cnn.max %x, %y : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// binary_c1
func.func @f(%x: tensor<?x8xf32>, %y: tensor<8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.min' op binary_c1: the operands must have the same shape and element type, not 'tensor<?x8xf32>' and 'tensor<8xf32>'}}
  %0 = cnn.min %x, %y : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// binary_c1: element types
func.func @f(%x: tensor<?x8xf32>, %y: tensor<?x8xf16>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.add' op binary_c1: the operands must have the same shape and element type, not 'tensor<?x8xf32>' and 'tensor<?x8xf16>'}}
  %0 = cnn.add %x, %y : tensor<?x8xf32>, tensor<?x8xf16> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// clamp_c1
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.clamp' op clamp_c1: min must not be above max}}
  %0 = cnn.clamp %x {min = 1.0 : f64, max = 0.0 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// an element-wise result has the shape of its operand
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x9xf32> {
  // expected-error@+2 {{'cnn.relu' op failed to infer returned types}}
  // expected-error@+1 {{'cnn.relu' op inferred type(s) 'tensor<?x8xf32>' are incompatible with return type(s) of operation 'tensor<?x9xf32>'}}
  %0 = cnn.relu %x : tensor<?x8xf32> -> tensor<?x9xf32>
  return %0 : tensor<?x9xf32>
}

// -----

// convert: the result has the element type that it says
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error@+2 {{'cnn.convert' op failed to infer returned types}}
  // expected-error@+1 {{'cnn.convert' op inferred type(s) 'tensor<?x8xf16>' are incompatible with return type(s) of operation 'tensor<?x8xf32>'}}
  %0 = cnn.convert %x {to = f16} : tensor<?x8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
