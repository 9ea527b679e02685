// RUN: cnn-opt %s -split-input-file -verify-diagnostics -o /dev/null

// batch_size_c1
func.func @f(%x: tensor<f32>) {
  // expected-error@+1 {{'cnn.batch_size' op batch_size_c1: floats with a dimension 0 are needed, not 'tensor<f32>'}}
  %0 = cnn.batch_size %x : tensor<f32> -> tensor<f32>
  return
}

// -----

// unslice_c1
func.func @f(%x: tensor<2x2xf32>) {
  // expected-error@+1 {{'cnn.unslice' op unslice_c1: 'starts', 'steps' and 'shape' must have one entry for each of 2 axes}}
  %0 = cnn.unslice %x {starts = array<i64: 0>, steps = array<i64: 1, 1>, shape = array<i64: 4, 4>} : tensor<2x2xf32> -> tensor<4x4xf32>
  return
}

// -----

// unslice_c2
func.func @f(%x: tensor<2x2xf32>) {
  // expected-error@+1 {{'cnn.unslice' op unslice_c2: axis 1: 2 elements from 2 in steps of 2 do not lie in 0..4}}
  %0 = cnn.unslice %x {starts = array<i64: 0, 2>, steps = array<i64: 2, 2>, shape = array<i64: 4, 4>} : tensor<2x2xf32> -> tensor<4x4xf32>
  return
}

// -----

// unslice_c3
func.func @f(%x: tensor<?x2xf32>) {
  // expected-error@+1 {{'cnn.unslice' op unslice_c3: the batch must be taken whole}}
  %0 = cnn.unslice %x {starts = array<i64: 0, 0>, steps = array<i64: 2, 1>, shape = array<i64: -1, 2>} : tensor<?x2xf32> -> tensor<?x2xf32>
  return
}

// -----

// pad_grad_c1
func.func @f(%x: tensor<2x6xf32>) {
  // expected-error@+1 {{'cnn.pad_grad' op pad_grad_c1: 'low' and 'high' must have one entry for each of 2 axes, none negative}}
  %0 = cnn.pad_grad %x {low = array<i64: 0, -1>, high = array<i64: 0, 0>} : tensor<2x6xf32> -> tensor<2x7xf32>
  return
}

// -----

// pad_grad_c2
func.func @f(%x: tensor<2x6xf32>) {
  // expected-error@+1 {{'cnn.pad_grad' op pad_grad_c2: a mirrored border of axis 1 must be narrower than what is left of 6}}
  %0 = cnn.pad_grad %x {low = array<i64: 0, 2>, high = array<i64: 0, 2>} : tensor<2x6xf32> -> tensor<2x2xf32>
  return
}

// -----

// pad_grad_c3
func.func @f(%x: tensor<?x6xf32>) {
  // expected-error@+1 {{'cnn.pad_grad' op pad_grad_c3: the batch can't be padded}}
  %0 = cnn.pad_grad %x {low = array<i64: 1, 0>, high = array<i64: 0, 0>} : tensor<?x6xf32> -> tensor<?x6xf32>
  return
}

// -----

// flip_kernels_c1
func.func @f(%w: tensor<4x2x3x3xf32>) {
  // expected-error@+1 {{'cnn.flip_kernels' op flip_kernels_c1: groups = 3 must divide dimension 0 of a static weight of rank 4, not 'tensor<4x2x3x3xf32>'}}
  %0 = cnn.flip_kernels %w {groups = 3 : i64} : tensor<4x2x3x3xf32> -> tensor<6x1x3x3xf32>
  return
}

// -----

// conv2d_transpose_c1
func.func @f(%x: tensor<?x4x3xf32>, %w: tensor<4x2x2x2xf32>) {
  // expected-error@+1 {{'cnn.conv2d_transpose' op conv2d_transpose_c1: input and weight must be of rank 4 and a bias of rank 1, not 'tensor<?x4x3xf32>' and 'tensor<4x2x2x2xf32>'}}
  %0 = cnn.conv2d_transpose %x, %w {size = array<i64: 4, 4>} : tensor<?x4x3xf32>, tensor<4x2x2x2xf32> -> tensor<?x2x4x4xf32>
  return
}

// -----

// conv2d_transpose_c2
func.func @f(%x: tensor<?x4x3x3xf32>, %w: tensor<4x2x2x2xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{'cnn.conv2d_transpose' op conv2d_transpose_c2: the weight must have as many kernels as the input channels, 4, a multiple of groups = 3, not 4}}
  %0 = cnn.conv2d_transpose %x, %w {size = array<i64: 4, 4>, groups = 3 : i64} : tensor<?x4x3x3xf32>, tensor<4x2x2x2xf32> -> tensor<?x6x4x4xf32>
  return
}

// -----

// conv2d_transpose_c3
func.func @f(%x: tensor<?x4x3x3xf32>, %w: tensor<4x2x2x2xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{'cnn.conv2d_transpose' op conv2d_transpose_c3: size, strides and dilations must be two positive numbers, padding four that are not negative}}
  %0 = cnn.conv2d_transpose %x, %w {size = array<i64: 4, 4>, strides = array<i64: 0, 1>} : tensor<?x4x3x3xf32>, tensor<4x2x2x2xf32> -> tensor<?x2x4x4xf32>
  return
}

// -----

// conv2d_transpose_c4
func.func @f(%x: tensor<?x4x3x3xf32>, %w: tensor<4x2x2x2xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{'cnn.conv2d_transpose' op conv2d_transpose_c4: no convolution of 5x4 with the kernel of 'tensor<4x2x2x2xf32>' gives the extents of 'tensor<?x4x3x3xf32>'}}
  %0 = cnn.conv2d_transpose %x, %w {size = array<i64: 5, 4>} : tensor<?x4x3x3xf32>, tensor<4x2x2x2xf32> -> tensor<?x2x5x4xf32>
  return
}

// -----

// conv2d_transpose_c5
func.func @f(%x: tensor<?x4x3x3xf32>, %w: tensor<4x2x2x2xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{'cnn.conv2d_transpose' op conv2d_transpose_c5: the bias has 3 elements for 2 output channels}}
  %0 = cnn.conv2d_transpose %x, %w bias %b {size = array<i64: 4, 4>} : tensor<?x4x3x3xf32>, tensor<4x2x2x2xf32>, tensor<3xf32> -> tensor<?x2x4x4xf32>
  return
}

// -----

// conv2d_weight_grad_c1
func.func @f(%x: tensor<?x4x6x6xf32>, %g: tensor<2x4x3x3xf32>) {
  // expected-error@+1 {{'cnn.conv2d_weight_grad' op conv2d_weight_grad_c1: input and gradient must be of rank 4 and of one batch, not 'tensor<?x4x6x6xf32>' and 'tensor<2x4x3x3xf32>'}}
  %0 = cnn.conv2d_weight_grad %x, %g {kernel = array<i64: 2, 2>} : tensor<?x4x6x6xf32>, tensor<2x4x3x3xf32> -> tensor<4x4x2x2xf32>
  return
}

// -----

// conv2d_weight_grad_c2
func.func @f(%x: tensor<?x4x6x6xf32>, %g: tensor<?x4x3x3xf32>) {
  // expected-error@+1 {{'cnn.conv2d_weight_grad' op conv2d_weight_grad_c2: groups = 3 must divide the channels, 4 in and 4 out}}
  %0 = cnn.conv2d_weight_grad %x, %g {kernel = array<i64: 2, 2>, groups = 3 : i64} : tensor<?x4x6x6xf32>, tensor<?x4x3x3xf32> -> tensor<4x1x2x2xf32>
  return
}

// -----

// conv2d_weight_grad_c3
func.func @f(%x: tensor<?x4x6x6xf32>, %g: tensor<?x4x3x3xf32>) {
  // expected-error@+1 {{'cnn.conv2d_weight_grad' op conv2d_weight_grad_c3: kernel, strides and dilations must be two positive numbers, padding four that are not negative}}
  %0 = cnn.conv2d_weight_grad %x, %g {kernel = array<i64: 0, 2>} : tensor<?x4x6x6xf32>, tensor<?x4x3x3xf32> -> tensor<4x4x0x2xf32>
  return
}

// -----

// conv2d_weight_grad_c4
func.func @f(%x: tensor<?x4x6x6xf32>, %g: tensor<?x4x3x3xf32>) {
  // expected-error@+1 {{'cnn.conv2d_weight_grad' op conv2d_weight_grad_c4: a convolution of 'tensor<?x4x6x6xf32>' with a kernel of 2x2 has not the extents of 'tensor<?x4x3x3xf32>'}}
  %0 = cnn.conv2d_weight_grad %x, %g {kernel = array<i64: 2, 2>} : tensor<?x4x6x6xf32>, tensor<?x4x3x3xf32> -> tensor<4x4x2x2xf32>
  return
}

// -----

// pool_c1
func.func @f(%x: tensor<4x6x6xf32>, %v: tensor<4x3x3xf32>) {
  // expected-error@+1 {{'cnn.max_pool_grad' op pool_c1: the input must be of rank 4, not 'tensor<4x6x6xf32>'}}
  %0 = cnn.max_pool_grad %x, %v {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : tensor<4x6x6xf32>, tensor<4x3x3xf32> -> tensor<4x6x6xf32>
  return
}

// -----

// pool_c2
func.func @f(%x: tensor<?x4x6x6xf32>, %g: tensor<?x4x3x3xf32>) {
  // expected-error@+1 {{'cnn.max_pool_grad' op pool_c2: kernel and strides must be two positive numbers, padding four that are not negative and smaller than the kernel}}
  %0 = cnn.max_pool_grad %x, %g {kernel = array<i64: 2, 2>, strides = array<i64: 0, 2>} : tensor<?x4x6x6xf32>, tensor<?x4x3x3xf32> -> tensor<?x4x6x6xf32>
  return
}

// -----

// pool_c3
func.func @f(%x: tensor<?x4x6x6xf32>, %g: tensor<?x4x3x3xf32>) {
  // expected-error@+1 {{'cnn.max_pool_grad' op pool_c3: the kernel does not fit the padded input, 'tensor<?x4x6x6xf32>'}}
  %0 = cnn.max_pool_grad %x, %g {kernel = array<i64: 7, 2>, strides = array<i64: 2, 2>} : tensor<?x4x6x6xf32>, tensor<?x4x3x3xf32> -> tensor<?x4x6x6xf32>
  return
}

// -----

// max_pool_grad_c1
func.func @f(%x: tensor<?x4x6x6xf32>, %g: tensor<?x4x3x3xf32>) {
  // expected-error@+1 {{'cnn.max_pool_grad' op max_pool_grad_c1: 'tensor<?x4x3x3xf32>' has not the shape of the pooled input, 'tensor<?x4x5x5xf32>'}}
  %0 = cnn.max_pool_grad %x, %g {kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>} : tensor<?x4x6x6xf32>, tensor<?x4x3x3xf32> -> tensor<?x4x6x6xf32>
  return
}

// -----

// max_pool_pick_c1
func.func @f(%x: tensor<?x4x6x6xf32>, %g: tensor<?x4x3x3xf32>) {
  // expected-error@+1 {{'cnn.max_pool_pick' op max_pool_pick_c1: 'tensor<?x4x3x3xf32>' has not the shape of the input, 'tensor<?x4x6x6xf32>'}}
  %0 = cnn.max_pool_pick %x, %g {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : tensor<?x4x6x6xf32>, tensor<?x4x3x3xf32> -> tensor<?x4x3x3xf32>
  return
}

// -----

// avg_pool_grad_c1
func.func @f(%x: tensor<?x4x6x6xf32>, %g: tensor<?x4x3x3xf32>) {
  // expected-error@+1 {{'cnn.avg_pool_grad' op avg_pool_grad_c1: a pooling of 'tensor<?x4x4x6xf32>' has not the extents of 'tensor<?x4x3x3xf32>'}}
  %0 = cnn.avg_pool_grad %g {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, size = array<i64: 4, 6>} : tensor<?x4x3x3xf32> -> tensor<?x4x4x6xf32>
  return
}

// -----

// random_normal_c1
func.func @f(%s: tensor<f32>) {
  // expected-error@+1 {{'cnn.random_normal' op random_normal_c1: seed and step must be tensor<i64>, not 'tensor<f32>'}}
  %0 = cnn.random_normal %s, %s {shape = array<i64: 2>, path = "z"} : tensor<f32>, tensor<f32> -> tensor<2xf32>
  return
}

// -----

// random_normal_c2
func.func @f(%s: tensor<i64>) {
  // expected-error@+1 {{'cnn.random_normal' op random_normal_c2: the deviation must not be negative}}
  %0 = cnn.random_normal %s, %s {shape = array<i64: 2>, deviation = -1.0 : f64, path = "z"} : tensor<i64>, tensor<i64> -> tensor<2xf32>
  return
}

// -----

// random_normal_c3
func.func @f(%s: tensor<i64>) {
  // expected-error@+1 {{'cnn.random_normal' op random_normal_c3: a draw needs a path, which its numbers depend on}}
  %0 = cnn.random_normal %s, %s {shape = array<i64: 2>} : tensor<i64>, tensor<i64> -> tensor<2xf32>
  return
}

// -----

// minimize_c1
func.func @f(%l: tensor<f32>, %w: tensor<2xf32>, %r: tensor<f64>) {
  // expected-error@+1 {{'cnn.minimize' op minimize_c1: the loss must be a scalar of floats, not 'tensor<2xf32>'}}
  %0 = cnn.minimize %w over %w rate %l using #cnn.optimizer<sgd> {path = "o"} : tensor<2xf32>, tensor<f32>, tensor<2xf32> -> tensor<2xf32>
  return
}

// -----

// minimize_c2
func.func @f(%l: tensor<f32>, %w: tensor<2xf32>, %r: tensor<f64>) {
  // expected-error@+1 {{'cnn.minimize' op minimize_c2: the rate must be of the loss's type, 'tensor<f32>', not 'tensor<f64>'}}
  %0 = cnn.minimize %l over %w rate %r using #cnn.optimizer<sgd> {path = "o"} : tensor<f32>, tensor<f64>, tensor<2xf32> -> tensor<2xf32>
  return
}

// -----

// minimize_c3
func.func @f(%l: tensor<f32>, %w: tensor<2xf32>, %r: tensor<f64>) {
  // expected-error@+1 {{'cnn.minimize' op minimize_c3: there must be parameters, and a result of the type of each}}
  %0 = cnn.minimize %l over %w rate %l using #cnn.optimizer<sgd> {path = "o"} : tensor<f32>, tensor<f32>, tensor<2xf32> -> tensor<3xf32>
  return
}

// -----

// minimize_c4
func.func @f(%l: tensor<f32>, %w: tensor<2xf32>, %r: tensor<f64>) {
  // expected-error@+1 {{'cnn.minimize' op minimize_c4: 'clip_value' and 'clip_norm' must be positive}}
  %0 = cnn.minimize %l over %w rate %l using #cnn.optimizer<sgd> {path = "o", clip_norm = 0.0 : f64} : tensor<f32>, tensor<f32>, tensor<2xf32> -> tensor<2xf32>
  return
}

// -----

// minimize_c5
func.func @f(%l: tensor<f32>, %w: tensor<2xf32>, %r: tensor<f64>) {
  // expected-error@+1 {{'cnn.minimize' op minimize_c5: a path is needed, which the optimizer's state is named by}}
  %0 = cnn.minimize %l over %w rate %l using #cnn.optimizer<sgd> {} : tensor<f32>, tensor<f32>, tensor<2xf32> -> tensor<2xf32>
  return
}

// -----

// optimizer_c1
// expected-error@+1 {{optimizer_c1: sgd has no setting 'momentum'}}
func.func private @f() attributes {optimizer = #cnn.optimizer<sgd, {momentum = 0.5}>}

// -----

// optimizer_c2
// expected-error@+1 {{optimizer_c2: 'beta1' must be a number from 0.000000e+00 to below 1.000000e+00}}
func.func private @f() attributes {optimizer = #cnn.optimizer<adam, {beta1 = 1.0}>}

// -----

// cnn.hyper
// expected-error@+1 {{'cnn.hyper' of argument 0 must be a string, on a scalar}}
func.func @f(%x: tensor<2xf32> {cnn.hyper = "rate"}) {
  return
}

// -----

// warp_c1
func.func @f(%x: tensor<?x4x6x6xf32>, %m: tensor<?x3x2xf32>) {
  // expected-error@+1 {{'cnn.warp' op warp_c1: an image [N, C, H, W], a matrix [N, 2, 3] and a displacement [N, 2, h, w] of one type of floats are needed, not 'tensor<?x4x6x6xf32>', 'tensor<?x3x2xf32>'}}
  %0 = cnn.warp %x, %m {size = array<i64: 6, 6>} : tensor<?x4x6x6xf32>, tensor<?x3x2xf32> -> tensor<?x4x6x6xf32>
  return
}

// -----

// warp_c1: the displacement has the positions of the result
func.func @f(%x: tensor<?x4x6x6xf32>, %m: tensor<?x2x3xf32>, %d: tensor<?x2x6x6xf32>) {
  // expected-error@+1 {{'cnn.warp' op warp_c1}}
  %0 = cnn.warp %x, %m by %d {size = array<i64: 5, 6>} : tensor<?x4x6x6xf32>, tensor<?x2x3xf32>, tensor<?x2x6x6xf32> -> tensor<?x4x5x6xf32>
  return
}

// -----

// warp_c1: floats
func.func @f(%x: tensor<?x4x6x6xi64>, %m: tensor<?x2x3xi64>) {
  // expected-error@+1 {{'cnn.warp' op warp_c1}}
  %0 = cnn.warp %x, %m {size = array<i64: 6, 6>} : tensor<?x4x6x6xi64>, tensor<?x2x3xi64> -> tensor<?x4x6x6xi64>
  return
}

// -----

// warp_c2
func.func @f(%x: tensor<?x4x6x6xf32>, %m: tensor<?x2x3xf32>) {
  // expected-error@+1 {{'cnn.warp' op warp_c2: 'size' must be [h, w], both at least 1}}
  %0 = "cnn.warp"(%x, %m) {size = array<i64: 6, 0>} : (tensor<?x4x6x6xf32>, tensor<?x2x3xf32>) -> tensor<?x4x6x0xf32>
  return
}

// -----

// warp_c3
func.func @f(%x: tensor<?x1x6x16777216xf32>, %m: tensor<?x2x3xf32>) {
  // expected-error@+1 {{'cnn.warp' op warp_c3: an image of at least 1 and below 2^24 rows and columns is needed, not 'tensor<?x1x6x16777216xf32>'}}
  %0 = cnn.warp %x, %m {size = array<i64: 6, 6>} : tensor<?x1x6x16777216xf32>, tensor<?x2x3xf32> -> tensor<?x1x6x6xf32>
  return
}

// -----

// resize_c1
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'cnn.resize' op resize_c1: the input must be of floats and of rank 4, not 'tensor<?x4xf32>'}}
  %0 = cnn.resize %x {size = array<i64: 4, 4>} : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

// resize_c1
func.func @f(%x: tensor<?x4x2x2xi64>) {
  // expected-error@+1 {{'cnn.resize' op resize_c1: the input must be of floats and of rank 4, not 'tensor<?x4x2x2xi64>'}}
  %0 = cnn.resize %x {size = array<i64: 4, 4>} : tensor<?x4x2x2xi64> -> tensor<?x4x4x4xi64>
  return
}

// -----

// resize_c2
func.func @f(%x: tensor<?x4x2x2xf32>) {
  // expected-error@+1 {{'cnn.resize_grad' op resize_c2: the size must be two positive numbers, and all extents below 2^30}}
  %0 = cnn.resize_grad %x {size = array<i64: 1073741824, 1>} : tensor<?x4x2x2xf32> -> tensor<?x4x1073741824x1xf32>
  return
}

// -----

// resize_c3
func.func @f(%x: tensor<?x4x2x2xf32>) {
  // expected-error@+1 {{'cnn.resize' op resize_c3: the nearest pixels know no aligned corners}}
  %0 = cnn.resize %x {size = array<i64: 4, 4>, align_corners = true} : tensor<?x4x2x2xf32> -> tensor<?x4x4x4xf32>
  return
}
