// RUN: cnn-opt --cnn-verify-stage=stage=plan --split-input-file --verify-diagnostics %s

// The second group's result lies on the first's, which the third reads.
module @overwritten {
  func.func @prepare() {
    return
  }
  func.func @run(%x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "y"}) attributes {cnn.fixed_bytes = 0 : i64, cnn.workspace_bytes = 64 : i64} {
    %0 = cnn.group "a" kind "elementwise" (%a = %x : tensor<?x3xf32>) -> tensor<?x3xf32> attributes {schedules = {avx2 = #cpu.schedule<algorithm = vector>}, placements = [#cnn.placement<segment = workspace, offset = 0, imageStride = 64>]} {
      %3 = cnn.tanh %a : tensor<?x3xf32> -> tensor<?x3xf32>
      cnn.yield %3 : tensor<?x3xf32>
    }
    %1 = cnn.group "b" kind "elementwise" (%a = %x : tensor<?x3xf32>) -> tensor<?x3xf32> attributes {schedules = {avx2 = #cpu.schedule<algorithm = vector>}, placements = [#cnn.placement<segment = workspace, offset = 0, imageStride = 64>]} {
      %3 = cnn.exp %a : tensor<?x3xf32> -> tensor<?x3xf32>
      cnn.yield %3 : tensor<?x3xf32>
    }
    // expected-error @+1 {{operand 0 is overwritten before it is read}}
    %2 = cnn.group "c" kind "elementwise" (%a = %0 : tensor<?x3xf32>, %b = %1 : tensor<?x3xf32>) -> tensor<?x3xf32> attributes {schedules = {avx2 = #cpu.schedule<algorithm = vector>}, placements = [#cnn.placement<segment = output, offset = 0, imageStride = 64>]} {
      %3 = cnn.add %a, %b : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
      cnn.yield %3 : tensor<?x3xf32>
    }
    return %2 : tensor<?x3xf32>
  }
}

// -----

// Softmax reads a row after it has written elements of it.
module @in_place {
  func.func @prepare() {
    return
  }
  func.func @run(%x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "y"}) attributes {cnn.fixed_bytes = 0 : i64, cnn.workspace_bytes = 64 : i64} {
    %0 = cnn.group "a" kind "elementwise" (%a = %x : tensor<?x3xf32>) -> tensor<?x3xf32> attributes {schedules = {avx2 = #cpu.schedule<algorithm = vector>}, placements = [#cnn.placement<segment = output, offset = 0, imageStride = 64>]} {
      %3 = cnn.tanh %a : tensor<?x3xf32> -> tensor<?x3xf32>
      cnn.yield %3 : tensor<?x3xf32>
    }
    // expected-error @+1 {{result 0 overwrites operand 0 while it is read}}
    %1 = cnn.group "b" kind "softmax" (%a = %0 : tensor<?x3xf32>) -> tensor<?x3xf32> attributes {schedules = {avx2 = #cpu.schedule<algorithm = vector>}, placements = [#cnn.placement<segment = output, offset = 0, imageStride = 64>]} {
      %3 = cnn.softmax %a : tensor<?x3xf32> -> tensor<?x3xf32>
      cnn.yield %3 : tensor<?x3xf32>
    }
    return %1 : tensor<?x3xf32>
  }
}

// -----

module @outside {
  func.func @prepare() {
    return
  }
  func.func @run(%x: tensor<?x32xf32> {cnn.input = "x"}) -> (tensor<?x32xf32> {cnn.output = "y"}) attributes {cnn.fixed_bytes = 0 : i64, cnn.workspace_bytes = 128 : i64} {
    // expected-error @+1 {{a place that is not aligned or leaves the workspace: #cnn.placement<segment = workspace, offset = 64, imageStride = 128>}}
    %0 = cnn.group "a" kind "elementwise" (%a = %x : tensor<?x32xf32>) -> tensor<?x32xf32> attributes {schedules = {avx2 = #cpu.schedule<algorithm = vector>}, placements = [#cnn.placement<segment = workspace, offset = 64, imageStride = 128>]} {
      %3 = cnn.tanh %a : tensor<?x32xf32> -> tensor<?x32xf32>
      cnn.yield %3 : tensor<?x32xf32>
    }
    return %0 : tensor<?x32xf32>
  }
}

// -----

// The operands lie in the wrong order.
module @wrong_slices {
  func.func @prepare() {
    return
  }
  func.func @run(%x: tensor<?x16xf32> {cnn.input = "x"}) -> (tensor<?x32xf32> {cnn.output = "y"}) attributes {cnn.fixed_bytes = 0 : i64, cnn.workspace_bytes = 0 : i64} {
    %0 = cnn.group "a" kind "elementwise" (%a = %x : tensor<?x16xf32>) -> tensor<?x16xf32> attributes {schedules = {avx2 = #cpu.schedule<algorithm = vector>}, placements = [#cnn.placement<segment = output, offset = 0, slice = 64, imageStride = 128>]} {
      %3 = cnn.tanh %a : tensor<?x16xf32> -> tensor<?x16xf32>
      cnn.yield %3 : tensor<?x16xf32>
    }
    %1 = cnn.group "b" kind "elementwise" (%a = %x : tensor<?x16xf32>) -> tensor<?x16xf32> attributes {schedules = {avx2 = #cpu.schedule<algorithm = vector>}, placements = [#cnn.placement<segment = output, offset = 0, imageStride = 128>]} {
      %3 = cnn.exp %a : tensor<?x16xf32> -> tensor<?x16xf32>
      cnn.yield %3 : tensor<?x16xf32>
    }
    // expected-error @+1 {{an operand of an elided group is not in its place}}
    %2 = cnn.group "c" kind "concat" (%a = %0 : tensor<?x16xf32>, %b = %1 : tensor<?x16xf32>) -> tensor<?x32xf32> attributes {elided, schedules = {avx2 = #cpu.schedule<algorithm = vector>}, placements = [#cnn.placement<segment = output, offset = 0, imageStride = 128>]} {
      %3 = cnn.concat %a, %b {axis = 1 : i64} : tensor<?x16xf32>, tensor<?x16xf32> -> tensor<?x32xf32>
      cnn.yield %3 : tensor<?x32xf32>
    }
    return %2 : tensor<?x32xf32>
  }
}
