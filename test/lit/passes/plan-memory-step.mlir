// RUN: cnn-opt --cnn-lay-out --cnn-schedule="target=cpu isa=avx512" --cnn-plan-memory --cnn-verify-stage=stage=plan --split-input-file %s | FileCheck %s

// The new value of a variable is written over the old one; the second variable begins at the next multiple of 64 bytes.
// CHECK-LABEL: module @in_place
// CHECK: cnn.group "w" {{.*}} placements = [#cnn.placement<segment = state, offset = 0>]
// CHECK: cnn.group "v" {{.*}} placements = [#cnn.placement<segment = state, offset = 64>]
module @in_place {
  cnn.param @w : tensor<3xf32>
  cnn.param @v : tensor<3xf32>
  func.func @run(%rate: tensor<f32> {cnn.hyper = "rate"}, %w: tensor<3xf32> {cnn.state = @w}, %v: tensor<3xf32> {cnn.state = @v})
      -> (tensor<3xf32> {cnn.state = @w}, tensor<3xf32> {cnn.state = @v}) {
    %0 = cnn.group "w" kind "elementwise" (%a = %w : tensor<3xf32>) -> tensor<3xf32> {
      %1 = cnn.neg %a {path = "w"} : tensor<3xf32> -> tensor<3xf32>
      cnn.yield %1 : tensor<3xf32>
    }
    %2 = cnn.group "v" kind "elementwise" (%a = %v : tensor<3xf32>, %b = %0 : tensor<3xf32>) -> tensor<3xf32> {
      %3 = cnn.add %a, %b {path = "v"} : tensor<3xf32>, tensor<3xf32> -> tensor<3xf32>
      cnn.yield %3 : tensor<3xf32>
    }
    return %0, %2 : tensor<3xf32>, tensor<3xf32>
  }
}

// -----

// The old value of @w is read after the new one is known, so that the new one is copied to its place at the end.
// CHECK-LABEL: module @read_later
// CHECK: cnn.group "w" {{.*}} placements = [#cnn.placement<segment = fixed,
// CHECK: cnn.group "v" {{.*}} placements = [#cnn.placement<segment = state, offset = 64>]
// CHECK: cnn.group "w.to_rows" kind "copy" {{.*}}placements = [#cnn.placement<segment = state, offset = 0>]
module @read_later {
  cnn.param @w : tensor<3xf32>
  cnn.param @v : tensor<3xf32>
  func.func @run(%rate: tensor<f32> {cnn.hyper = "rate"}, %w: tensor<3xf32> {cnn.state = @w}, %v: tensor<3xf32> {cnn.state = @v})
      -> (tensor<3xf32> {cnn.state = @w}, tensor<3xf32> {cnn.state = @v}) {
    %0 = cnn.group "w" kind "elementwise" (%a = %w : tensor<3xf32>) -> tensor<3xf32> {
      %1 = cnn.neg %a {path = "w"} : tensor<3xf32> -> tensor<3xf32>
      cnn.yield %1 : tensor<3xf32>
    }
    %2 = cnn.group "v" kind "elementwise" (%a = %v : tensor<3xf32>, %b = %w : tensor<3xf32>) -> tensor<3xf32> {
      %3 = cnn.add %a, %b {path = "v"} : tensor<3xf32>, tensor<3xf32> -> tensor<3xf32>
      cnn.yield %3 : tensor<3xf32>
    }
    return %0, %2 : tensor<3xf32>, tensor<3xf32>
  }
}
