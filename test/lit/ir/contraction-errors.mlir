// RUN: cnn-opt %s -split-input-file -verify-diagnostics -o /dev/null

// conv2d_c1: rank 4
func.func @f(%x: tensor<?x3x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.conv2d' op conv2d_c1: input and weight must be of rank 4, not 'tensor<?x3x8xf32>' and 'tensor<4x3x3x3xf32>'}}
  %0 = cnn.conv2d %x, %w : tensor<?x3x8xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// conv2d_c1: bias of rank 1
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %b: tensor<1x4xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.conv2d' op conv2d_c1: the bias must be of rank 1, not 'tensor<1x4xf32>'}}
  %0 = cnn.conv2d %x, %w bias %b : tensor<?x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<1x4xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// conv2d_c2
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.conv2d' op conv2d_c2: groups = 2 must divide the channels, 3 in and 4 out}}
  %0 = cnn.conv2d %x, %w {groups = 2 : i64} : tensor<?x3x8x8xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// conv2d_c3
func.func @f(%x: tensor<?x4x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.conv2d' op conv2d_c3: the weight takes 3 channels a group, the input has 4}}
  %0 = cnn.conv2d %x, %w : tensor<?x4x8x8xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// conv2d_c4: a stride of 0
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.conv2d' op conv2d_c4: strides and dilations must be two positive numbers, padding four that are not negative}}
  %0 = cnn.conv2d %x, %w {strides = array<i64: 0, 1>} : tensor<?x3x8x8xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// conv2d_c4: negative padding
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.conv2d' op conv2d_c4: strides and dilations must be two positive numbers, padding four that are not negative}}
  %0 = cnn.conv2d %x, %w {padding = array<i64: -1, 0, 0, 0>} : tensor<?x3x8x8xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// conv2d_c5
func.func @f(%x: tensor<?x3x2x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.conv2d' op conv2d_c5: the kernel of 'tensor<4x3x3x3xf32>' does not fit the padded input, 'tensor<?x3x2x8xf32>'}}
  %0 = cnn.conv2d %x, %w : tensor<?x3x2x8xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// conv2d_c6
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %b: tensor<3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.conv2d' op conv2d_c6: the bias has 3 elements for 4 output channels}}
  %0 = cnn.conv2d %x, %w bias %b : tensor<?x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// the result follows from the operands
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x8x8xf32> {
  // expected-error@+2 {{'cnn.conv2d' op failed to infer returned types}}
  // expected-error@+1 {{'cnn.conv2d' op inferred type(s) 'tensor<?x4x6x6xf32>' are incompatible with return type(s) of operation 'tensor<?x4x8x8xf32>'}}
  %0 = cnn.conv2d %x, %w : tensor<?x3x8x8xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x8x8xf32>
  return %0 : tensor<?x4x8x8xf32>
}

// -----

// strides are two numbers
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.conv2d' op conv2d_c4: strides and dilations must be two positive numbers, padding four that are not negative}}
  %0 = cnn.conv2d %x, %w {strides = array<i64: 1>} : tensor<?x3x8x8xf32>, tensor<4x3x3x3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// dense_c1
func.func @f(%x: tensor<?x8x1xf32>, %w: tensor<4x8xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{'cnn.dense' op dense_c1: input and weight must be of rank 2, not 'tensor<?x8x1xf32>' and 'tensor<4x8xf32>'}}
  %0 = cnn.dense %x, %w : tensor<?x8x1xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// dense_c2
func.func @f(%x: tensor<?x8xf32>, %w: tensor<4x7xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{'cnn.dense' op dense_c2: the input has 8 features, the weight takes 7}}
  %0 = cnn.dense %x, %w : tensor<?x8xf32>, tensor<4x7xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// dense_c3
func.func @f(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>, %b: tensor<8xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{'cnn.dense' op dense_c3: the bias must have 4 elements, not 'tensor<8xf32>'}}
  %0 = cnn.dense %x, %w bias %b : tensor<?x8xf32>, tensor<4x8xf32>, tensor<8xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// matmul_c1
func.func @f(%x: tensor<8xf32>, %w: tensor<8x4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{'cnn.matmul' op matmul_c1: the operands must be of rank 2, not 'tensor<8xf32>' and 'tensor<8x4xf32>'}}
  %0 = cnn.matmul %x, %w : tensor<8xf32>, tensor<8x4xf32> -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// conv2d_c1: no dimension
func.func @f(%x: tensor<f32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.conv2d' op conv2d_c1: input and weight must be of rank 4, not 'tensor<f32>' and 'tensor<4x3x3x3xf32>'}}
  %0 = cnn.conv2d %x, %w : tensor<f32>, tensor<4x3x3x3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// matmul_c2
func.func @f(%x: tensor<2x8xf32>, %w: tensor<4x8xf32>) -> tensor<2x8xf32> {
  // expected-error@+1 {{'cnn.matmul' op matmul_c2: the inner extents differ: 'tensor<2x8xf32>' and 'tensor<4x8xf32>'}}
  %0 = cnn.matmul %x, %w : tensor<2x8xf32>, tensor<4x8xf32> -> tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}

// -----

// matmul_c2: transposed
func.func @f(%x: tensor<2x8xf32>, %w: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error@+1 {{'cnn.matmul' op matmul_c2: the inner extents differ: 'tensor<2x8xf32>' and 'tensor<8x4xf32>'}}
  %0 = cnn.matmul %x, %w {transpose_lhs = true} : tensor<2x8xf32>, tensor<8x4xf32> -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// -----

// winograd_weights_c1
func.func @f(%x: tensor<4x3x5x5xf32>) -> tensor<6x6x4x3xf32> {
  // expected-error@+1 {{'cnn.winograd_weights' op winograd_weights_c1: a 3x3 kernel and m = 4 are needed, not 'tensor<4x3x5x5xf32>' and m = 4}}
  %0 = cnn.winograd_weights %x : tensor<4x3x5x5xf32> -> tensor<6x6x4x3xf32>
  return %0 : tensor<6x6x4x3xf32>
}

// -----

// winograd_weights_c1: rank 4
func.func @f(%x: tensor<4x3xf32>) -> tensor<6x6x4x3xf32> {
  // expected-error@+1 {{'cnn.winograd_weights' op winograd_weights_c1: a 3x3 kernel and m = 4 are needed, not 'tensor<4x3xf32>' and m = 4}}
  %0 = cnn.winograd_weights %x : tensor<4x3xf32> -> tensor<6x6x4x3xf32>
  return %0 : tensor<6x6x4x3xf32>
}

// -----

// winograd_conv2d_c1
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<4x4x4x3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.winograd_conv2d' op winograd_conv2d_c1: an image of rank 4 and kernels transformed for m = 4 are needed, not 'tensor<?x3x8x8xf32>' and 'tensor<4x4x4x3xf32>'}}
  %0 = cnn.winograd_conv2d %x, %w : tensor<?x3x8x8xf32>, tensor<4x4x4x3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// winograd_conv2d_c1: padding
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<6x6x4x3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.winograd_conv2d' op winograd_conv2d_c1: padding must be four numbers that are not negative}}
  %0 = cnn.winograd_conv2d %x, %w {padding = array<i64: 1>} : tensor<?x3x8x8xf32>, tensor<6x6x4x3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// winograd_conv2d_c2
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<6x6x4x2xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.winograd_conv2d' op winograd_conv2d_c2: the weight takes 2 channels, the input has 3}}
  %0 = cnn.winograd_conv2d %x, %w : tensor<?x3x8x8xf32>, tensor<6x6x4x2xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// winograd_conv2d_c3
func.func @f(%x: tensor<?x3x8x8xf32>, %w: tensor<6x6x4x3xf32>, %b: tensor<3xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error@+1 {{'cnn.winograd_conv2d' op winograd_conv2d_c3: the bias must have 4 elements, not 'tensor<3xf32>'}}
  %0 = cnn.winograd_conv2d %x, %w bias %b : tensor<?x3x8x8xf32>, tensor<6x6x4x3xf32>, tensor<3xf32> -> tensor<?x4x6x6xf32>
  return %0 : tensor<?x4x6x6xf32>
}

// -----

// expand_groups_c1
func.func @f(%x: tensor<4x3x3x3xf32>) -> tensor<4x9x3x3xf32> {
  // expected-error@+1 {{'cnn.expand_groups' op expand_groups_c1: groups = 3 must divide dimension 0 of a weight of rank 4, not 'tensor<4x3x3x3xf32>'}}
  %0 = cnn.expand_groups %x {groups = 3 : i64} : tensor<4x3x3x3xf32> -> tensor<4x9x3x3xf32>
  return %0 : tensor<4x9x3x3xf32>
}

// -----

// expand_groups_c1: no group
func.func @f(%x: tensor<4x3x3x3xf32>) -> tensor<4x3x3x3xf32> {
  // expected-error@+1 {{'cnn.expand_groups' op expand_groups_c1: groups = 0 must divide dimension 0 of a weight of rank 4, not 'tensor<4x3x3x3xf32>'}}
  %0 = cnn.expand_groups %x {groups = 0 : i64} : tensor<4x3x3x3xf32> -> tensor<4x3x3x3xf32>
  return %0 : tensor<4x3x3x3xf32>
}
