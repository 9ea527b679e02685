// RUN: cnn-opt %s -split-input-file -verify-diagnostics -o /dev/null

// pool_c1
func.func @f(%x: tensor<?x8x8xf32>) -> tensor<?x4x4xf32> {
  // expected-error@+1 {{'cnn.max_pool' op pool_c1: the input must be of rank 4, not 'tensor<?x8x8xf32>'}}
  %0 = cnn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : tensor<?x8x8xf32> -> tensor<?x4x4xf32>
  return %0 : tensor<?x4x4xf32>
}

// -----

// pool_c2: no stride
func.func @f(%x: tensor<?x4x8x8xf32>) -> tensor<?x4x4x4xf32> {
  // expected-error@+1 {{'cnn.max_pool' op pool_c2: kernel and strides must be two positive numbers, padding four that are not negative and smaller than the kernel}}
  %0 = cnn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 0, 2>} : tensor<?x4x8x8xf32> -> tensor<?x4x4x4xf32>
  return %0 : tensor<?x4x4x4xf32>
}

// -----

// pool_c2: padding as wide as the kernel
func.func @f(%x: tensor<?x4x8x8xf32>) -> tensor<?x4x6x5xf32> {
  // expected-error@+1 {{'cnn.avg_pool' op pool_c2: kernel and strides must be two positive numbers, padding four that are not negative and smaller than the kernel}}
  %0 = cnn.avg_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 2, 2, 1, 1>} : tensor<?x4x8x8xf32> -> tensor<?x4x6x5xf32>
  return %0 : tensor<?x4x6x5xf32>
}

// -----

// pool_c3
func.func @f(%x: tensor<?x4x2x8xf32>) -> tensor<?x4x1x6xf32> {
  // expected-error@+1 {{'cnn.avg_pool' op pool_c3: the kernel does not fit the padded input, 'tensor<?x4x2x8xf32>'}}
  %0 = cnn.avg_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>} : tensor<?x4x2x8xf32> -> tensor<?x4x1x6xf32>
  return %0 : tensor<?x4x1x6xf32>
}

// -----

// batch_norm_c1
func.func @f(%x: tensor<?xf32>, %v: tensor<8xf32>, %w: tensor<8xf32>) -> tensor<?xf32> {
  // expected-error@+1 {{'cnn.batch_norm' op batch_norm_c1: the input must have a channel dimension, unlike 'tensor<?xf32>'}}
  %0 = cnn.batch_norm %x, %v, %v, %v, %w : tensor<?xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32> -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// batch_norm_c2
func.func @f(%x: tensor<?x8x2x2xf32>, %v: tensor<8xf32>, %w: tensor<7xf32>) -> tensor<?x8x2x2xf32> {
  // expected-error@+1 {{'cnn.batch_norm' op batch_norm_c2: 8 channels need vectors of as many elements, not 'tensor<7xf32>'}}
  %0 = cnn.batch_norm %x, %v, %v, %v, %w : tensor<?x8x2x2xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<7xf32> -> tensor<?x8x2x2xf32>
  return %0 : tensor<?x8x2x2xf32>
}

// -----

// reduce_c1: beyond the rank
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.reduce' op reduce_c1: 'dims' must be axes of the input in increasing order}}
  %0 = cnn.reduce %x {kind = #cnn.reduce_kind<sum>, dims = array<i64: 2>} : tensor<?x8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// reduce_c1: not increasing
func.func @f(%x: tensor<?x8xf32>) -> tensor<f32> {
  // expected-error@+1 {{'cnn.reduce' op reduce_c1: 'dims' must be axes of the input in increasing order}}
  %0 = cnn.reduce %x {kind = #cnn.reduce_kind<sum>, dims = array<i64: 1, 0>} : tensor<?x8xf32> -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// softmax_c1: the batch
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.softmax' op softmax_c1: axis 0 is not one of the input's, 'tensor<?x8xf32>'}}
  %0 = cnn.softmax %x {axis = 0 : i64} : tensor<?x8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// softmax_c1: beyond the rank
func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error@+1 {{'cnn.softmax' op softmax_c1: axis 2 is not one of the input's, 'tensor<?x8xf32>'}}
  %0 = cnn.softmax %x {axis = 2 : i64} : tensor<?x8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// random_uniform_c1
func.func @f(%s: tensor<i32>, %t: tensor<i64>) -> tensor<4xf32> {
  // expected-error@+1 {{'cnn.random_uniform' op random_uniform_c1: seed and step must be tensor<i64>, not 'tensor<i32>'}}
  %0 = cnn.random_uniform %s, %t {shape = array<i64: 4>, path = "p"} : tensor<i32>, tensor<i64> -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// random_uniform_c2
func.func @f(%s: tensor<i64>, %t: tensor<i64>) -> tensor<4xf32> {
  // expected-error@+1 {{'cnn.random_uniform' op random_uniform_c2: low must be below high}}
  %0 = cnn.random_uniform %s, %t {shape = array<i64: 4>, path = "p", low = 1.0 : f64} : tensor<i64>, tensor<i64> -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// random_uniform_c3
func.func @f(%s: tensor<i64>, %t: tensor<i64>) -> tensor<4xf32> {
  // expected-error@+1 {{'cnn.random_uniform' op random_uniform_c3: a draw needs a path, which its numbers depend on}}
  %0 = cnn.random_uniform %s, %t {shape = array<i64: 4>} : tensor<i64>, tensor<i64> -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
