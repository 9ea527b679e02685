// RUN: cnn-opt %s -split-input-file -verify-diagnostics -o /dev/null

// broadcast_c1: one entry a dimension
func.func @f(%x: tensor<4xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{'cnn.broadcast' op broadcast_c1: 'dims' must name one dimension of the result for each of the input's 1, in increasing order}}
  %0 = cnn.broadcast %x {dims = array<i64>, shape = array<i64: -1, 4>} : tensor<4xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// broadcast_c1: increasing
func.func @f(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error@+1 {{'cnn.broadcast' op broadcast_c1: 'dims' must name one dimension of the result for each of the input's 2, in increasing order}}
  %0 = cnn.broadcast %x {dims = array<i64: 1, 0>, shape = array<i64: 4, 4>} : tensor<4x4xf32> -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----

// broadcast_c1: below the rank
func.func @f(%x: tensor<4xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{'cnn.broadcast' op broadcast_c1: 'dims' must name one dimension of the result for each of the input's 1, in increasing order}}
  %0 = cnn.broadcast %x {dims = array<i64: 2>, shape = array<i64: -1, 4>} : tensor<4xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// broadcast_c2
func.func @f(%x: tensor<3xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{'cnn.broadcast' op broadcast_c2: extent 3 of dimension 0 does not broadcast to 'tensor<?x4xf32>'}}
  %0 = cnn.broadcast %x {dims = array<i64: 1>, shape = array<i64: -1, 4>} : tensor<3xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// reshape_c1
func.func @f(%x: tensor<?x4x4xf32>) -> tensor<?x15xf32> {
  // expected-error@+1 {{'cnn.reshape' op reshape_c1: the number of elements changes from 'tensor<?x4x4xf32>' to 'tensor<?x15xf32>'}}
  %0 = cnn.reshape %x {shape = array<i64: -1, 15>} : tensor<?x4x4xf32> -> tensor<?x15xf32>
  return %0 : tensor<?x15xf32>
}

// -----

// reshape_c1: the batch stays
func.func @f(%x: tensor<?x4xf32>) -> tensor<4x4xf32> {
  // expected-error@+1 {{'cnn.reshape' op reshape_c1: the number of elements changes from 'tensor<?x4xf32>' to 'tensor<4x4xf32>'}}
  %0 = cnn.reshape %x {shape = array<i64: 4, 4>} : tensor<?x4xf32> -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----

// transpose_c1
func.func @f(%x: tensor<3x4xf32>) -> tensor<4x4xf32> {
  // expected-error@+1 {{'cnn.transpose' op transpose_c1: 'permutation' must be one of the dimensions}}
  %0 = cnn.transpose %x {permutation = array<i64: 1, 1>} : tensor<3x4xf32> -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----

// transpose_c2
func.func @f(%x: tensor<?x4xf32>) -> tensor<4x4xf32> {
  // expected-error@+1 {{'cnn.transpose' op transpose_c2: the batch must stay in place 0}}
  %0 = cnn.transpose %x {permutation = array<i64: 1, 0>} : tensor<?x4xf32> -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----

// concat_c1: element types
func.func @f(%x0: tensor<?x4xf32>, %x1: tensor<?x4xf16>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.concat' op concat_c1: the operands must be of one rank and element type, not 'tensor<?x4xf16>' beside 'tensor<?x8xf32>'}}
  %0 = cnn.concat %x0, %x1 {axis = 1 : i64} : tensor<?x4xf32>, tensor<?x4xf16> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// concat_c1: ranks
func.func @f(%x0: tensor<?x4xf32>, %x1: tensor<?x4x1xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.concat' op concat_c1: the operands must be of one rank and element type, not 'tensor<?x4x1xf32>' beside 'tensor<?x8xf32>'}}
  %0 = cnn.concat %x0, %x1 {axis = 1 : i64} : tensor<?x4xf32>, tensor<?x4x1xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// concat_c2
func.func @f(%x0: tensor<?x4x2xf32>, %x1: tensor<?x4x3xf32>) -> tensor<?x8x2xf32> {
  // expected-error@+1 {{'cnn.concat' op concat_c2: the operands must agree but along axis 1: 'tensor<?x4x3xf32>' beside 'tensor<?x8x2xf32>'}}
  %0 = cnn.concat %x0, %x1 {axis = 1 : i64} : tensor<?x4x2xf32>, tensor<?x4x3xf32> -> tensor<?x8x2xf32>
  return %0 : tensor<?x8x2xf32>
}

// -----

// concat_c3: beyond the rank
func.func @f(%x0: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{'cnn.concat' op concat_c3: axis 2 must be one of 'tensor<?x4xf32>' and not the batch}}
  %0 = cnn.concat %x0 {axis = 2 : i64} : tensor<?x4xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// concat_c3: the batch
func.func @f(%x0: tensor<?x4xf32>, %x1: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{'cnn.concat' op concat_c3: axis 0 must be one of 'tensor<?x4xf32>' and not the batch}}
  %0 = cnn.concat %x0, %x1 {axis = 0 : i64} : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// slice_c1
func.func @f(%x: tensor<?x4xf32>) -> tensor<?x2xf32> {
  // expected-error@+1 {{'cnn.slice' op slice_c1: 'starts', 'sizes' and 'steps' must have one entry for each of 2 axes}}
  %0 = cnn.slice %x {starts = array<i64: 0>, sizes = array<i64: -1, 2>, steps = array<i64: 1, 1>} : tensor<?x4xf32> -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}

// -----

// slice_c2: beyond the end
func.func @f(%x: tensor<?x4xf32>) -> tensor<?x3xf32> {
  // expected-error@+1 {{'cnn.slice' op slice_c2: axis 1: 3 elements from 0 in steps of 2 do not lie in 0..4}}
  %0 = cnn.slice %x {starts = array<i64: 0, 0>, sizes = array<i64: -1, 3>, steps = array<i64: 1, 2>} : tensor<?x4xf32> -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// -----

// slice_c2: no step
func.func @f(%x: tensor<?x4xf32>) -> tensor<?x3xf32> {
  // expected-error@+1 {{'cnn.slice' op slice_c2: axis 1: 3 elements from 0 in steps of 0 do not lie in 0..4}}
  %0 = cnn.slice %x {starts = array<i64: 0, 0>, sizes = array<i64: -1, 3>, steps = array<i64: 1, 0>} : tensor<?x4xf32> -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// -----

// slice_c3
func.func @f(%x: tensor<?x4xf32>) -> tensor<2x4xf32> {
  // expected-error@+1 {{'cnn.slice' op slice_c3: the batch must be taken whole}}
  %0 = cnn.slice %x {starts = array<i64: 0, 0>, sizes = array<i64: 2, 4>, steps = array<i64: 1, 1>} : tensor<?x4xf32> -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

// pad_c1: one entry an axis
func.func @f(%x: tensor<?x4xf32>) -> tensor<?x5xf32> {
  // expected-error@+1 {{'cnn.pad' op pad_c1: 'low' and 'high' must have one entry for each of 2 axes, none negative}}
  %0 = cnn.pad %x {low = array<i64: 1>, high = array<i64: 0, 0>} : tensor<?x4xf32> -> tensor<?x5xf32>
  return %0 : tensor<?x5xf32>
}

// -----

// pad_c1: negative
func.func @f(%x: tensor<?x4xf32>) -> tensor<?x3xf32> {
  // expected-error@+1 {{'cnn.pad' op pad_c1: 'low' and 'high' must have one entry for each of 2 axes, none negative}}
  %0 = cnn.pad %x {low = array<i64: 0, -1>, high = array<i64: 0, 0>} : tensor<?x4xf32> -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// -----

// pad_c2
func.func @f(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.pad' op pad_c2: a mirrored border of axis 1 must be narrower than its extent, 4}}
  %0 = cnn.pad %x {low = array<i64: 0, 4>, high = array<i64: 0, 0>, mode = #cnn.pad_mode<reflect>} : tensor<?x4xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// pad_c3
func.func @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{'cnn.pad' op pad_c3: the batch can't be padded}}
  %0 = cnn.pad %x {low = array<i64: 1, 0>, high = array<i64: 0, 0>} : tensor<?x4xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
