// RUN: cnn-opt %s | cnn-opt | FileCheck %s

// CHECK-LABEL: func.func @f
func.func @f(%x: tensor<?x4x6x6xf32>, %y: tensor<?x4x3x3xf32>, %w: tensor<4x2x2x2xf32>, %b: tensor<4xf32>, %s: tensor<i64>, %m: tensor<?x2x3xf32>, %d: tensor<?x2x3x3xf32>) {
  // CHECK: cnn.step %{{.*}} : tensor<?x4x6x6xf32> -> tensor<?x4x6x6xf32>
  %0 = cnn.step %x : tensor<?x4x6x6xf32> -> tensor<?x4x6x6xf32>
  // CHECK: cnn.softplus
  %1 = cnn.softplus %x : tensor<?x4x6x6xf32> -> tensor<?x4x6x6xf32>
  // CHECK: cnn.elu %{{.*}} {alpha = 5.000000e-01 : f64}
  %2 = cnn.elu %x {alpha = 0.5 : f64} : tensor<?x4x6x6xf32> -> tensor<?x4x6x6xf32>
  // CHECK: cnn.stop_gradient
  %3 = cnn.stop_gradient %x : tensor<?x4x6x6xf32> -> tensor<?x4x6x6xf32>
  // CHECK: cnn.batch_size %{{.*}} : tensor<?x4x6x6xf32> -> tensor<f32>
  %4 = cnn.batch_size %x : tensor<?x4x6x6xf32> -> tensor<f32>
  // CHECK: cnn.unslice %{{.*}} -> tensor<?x4x6x6xf32>
  %5 = cnn.unslice %y {starts = array<i64: 0, 0, 1, 1>, steps = array<i64: 1, 1, 2, 2>, shape = array<i64: -1, 4, 6, 6>} : tensor<?x4x3x3xf32> -> tensor<?x4x6x6xf32>
  // CHECK: cnn.pad_grad %{{.*}} {high = array<i64: 0, 0, 1, 0>, low = array<i64: 0, 0, 2, 0>}
  %6 = cnn.pad_grad %x {low = array<i64: 0, 0, 2, 0>, high = array<i64: 0, 0, 1, 0>} : tensor<?x4x6x6xf32> -> tensor<?x4x3x6xf32>
  // CHECK: cnn.conv2d_transpose %{{.*}}, %{{.*}} bias %{{.*}} {groups = 2 : i64, size = array<i64: 6, 6>, strides = array<i64: 2, 2>}
  %7 = cnn.conv2d_transpose %y, %w bias %b {size = array<i64: 6, 6>, strides = array<i64: 2, 2>, groups = 2 : i64} : tensor<?x4x3x3xf32>, tensor<4x2x2x2xf32>, tensor<4xf32> -> tensor<?x4x6x6xf32>
  // CHECK: cnn.conv2d_weight_grad %{{.*}} -> tensor<4x2x2x2xf32>
  %8 = cnn.conv2d_weight_grad %x, %y {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, groups = 2 : i64} : tensor<?x4x6x6xf32>, tensor<?x4x3x3xf32> -> tensor<4x2x2x2xf32>
  // CHECK: cnn.flip_kernels %{{.*}} {groups = 2 : i64} : tensor<4x2x2x2xf32> -> tensor<4x2x2x2xf32>
  %flipped = cnn.flip_kernels %w {groups = 2 : i64} : tensor<4x2x2x2xf32> -> tensor<4x2x2x2xf32>
  // CHECK: cnn.max_pool_grad
  %9 = cnn.max_pool_grad %x, %y {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : tensor<?x4x6x6xf32>, tensor<?x4x3x3xf32> -> tensor<?x4x6x6xf32>
  // CHECK: cnn.max_pool_pick
  %10 = cnn.max_pool_pick %x, %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : tensor<?x4x6x6xf32>, tensor<?x4x6x6xf32> -> tensor<?x4x3x3xf32>
  // CHECK: cnn.warp %{{.*}}, %{{.*}} {size = array<i64: 5, 7>} : tensor<?x4x6x6xf32>, tensor<?x2x3xf32> -> tensor<?x4x5x7xf32>
  %warped = cnn.warp %x, %m {size = array<i64: 5, 7>} : tensor<?x4x6x6xf32>, tensor<?x2x3xf32> -> tensor<?x4x5x7xf32>
  // CHECK: cnn.warp %{{.*}}, %{{.*}} by %{{.*}} {border = #cnn.warp_border<reflect>, filter = #cnn.warp_filter<nearest>, size = array<i64: 3, 3>}
  %bent = cnn.warp %x, %m by %d {size = array<i64: 3, 3>, filter = #cnn.warp_filter<nearest>, border = #cnn.warp_border<reflect>} : tensor<?x4x6x6xf32>, tensor<?x2x3xf32>, tensor<?x2x3x3xf32> -> tensor<?x4x3x3xf32>
  // CHECK: cnn.resize_grad {{.*}} {size = array<i64: 3, 6>}
  %r0 = cnn.resize_grad %y {size = array<i64: 3, 6>} : tensor<?x4x3x3xf32> -> tensor<?x4x3x6xf32>
  // CHECK: cnn.resize {{.*}} {align_corners = true, mode = #cnn.resize_mode<bilinear>, size = array<i64: 6, 6>}
  %r1 = cnn.resize %r0 {size = array<i64: 6, 6>, mode = #cnn.resize_mode<bilinear>, align_corners = true} : tensor<?x4x3x6xf32> -> tensor<?x4x6x6xf32>
  // CHECK: cnn.avg_pool_grad
  %11 = cnn.avg_pool_grad %y {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, size = array<i64: 6, 6>} : tensor<?x4x3x3xf32> -> tensor<?x4x6x6xf32>
  // CHECK: cnn.random_normal %{{.*}}, %{{.*}} like %{{.*}} {deviation = 2.000000e+00 : f64, path = "z", shape = array<i64: -1, 5>}
  %12 = cnn.random_normal %s, %s like %x {shape = array<i64: -1, 5>, deviation = 2.0 : f64, path = "z"} : tensor<i64>, tensor<i64>, tensor<?x4x6x6xf32> -> tensor<?x5xf32>
  // CHECK: cnn.minimize %{{.*}} over %{{.*}}, %{{.*}} rate %{{.*}} using <adam, {beta1 = 5.000000e-01 : f64}> {clip_norm = 1.000000e+00 : f64, path = "opt"} : tensor<f32>, tensor<f32>, tensor<4x2x2x2xf32>, tensor<4xf32> -> tensor<4x2x2x2xf32>, tensor<4xf32>
  %13, %14 = cnn.minimize %4 over %w, %b rate %4 using #cnn.optimizer<adam, {beta1 = 0.5 : f64}> {path = "opt", clip_norm = 1.0 : f64} : tensor<f32>, tensor<f32>, tensor<4x2x2x2xf32>, tensor<4xf32> -> tensor<4x2x2x2xf32>, tensor<4xf32>
  return
}
