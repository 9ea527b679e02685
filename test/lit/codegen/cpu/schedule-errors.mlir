// RUN: cnn-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{cpu_schedule_c1: the tile's extents must be positive}}
func.func private @extents() attributes {tile = #cpu.schedule<algorithm = direct, rows = 0>}

// -----

// expected-error @+1 {{cpu_schedule_c2: 'unroll' must be a power of two up to 16}}
func.func private @unroll() attributes {tile = #cpu.schedule<algorithm = direct, unroll = 3>}

// -----

// expected-error @+1 {{cpu_schedule_c3: 'prefetch_weights' must not be negative}}
func.func private @prefetch() attributes {tile = #cpu.schedule<algorithm = direct, prefetchWeights = -64>}

// -----

func.func @run(%x: tensor<?x8xf16> {cnn.input = "x"}) -> (tensor<?x8xf16> {cnn.output = "y"}) {
  // expected-error @+1 {{cpu_schedule_c4: no kernel computes this group: the CPU target does not compute with f16}}
  %0 = cnn.group "r" kind "elementwise" (%a = %x : tensor<?x8xf16>) -> tensor<?x8xf16> attributes {schedules = {avx512 = #cpu.schedule<algorithm = vector>}} {
    %1 = cnn.relu %a : tensor<?x8xf16> -> tensor<?x8xf16>
    cnn.yield %1 : tensor<?x8xf16>
  }
  return %0 : tensor<?x8xf16>
}

// -----

func.func @run(%x: tensor<?x8xf32> {cnn.input = "x"}) -> (tensor<?x8xf32> {cnn.output = "y"}) {
  // expected-error @+1 {{cpu_schedule_c5: the algorithm 'direct' does not fit; the group is computed by 'vector'}}
  %0 = cnn.group "r" kind "elementwise" (%a = %x : tensor<?x8xf32>) -> tensor<?x8xf32> attributes {schedules = {avx512 = #cpu.schedule<algorithm = direct>}} {
    %1 = cnn.relu %a : tensor<?x8xf32> -> tensor<?x8xf32>
    cnn.yield %1 : tensor<?x8xf32>
  }
  return %0 : tensor<?x8xf32>
}

// -----

#rows = #cnn.layout<outer = [0, 1], inner = [0 : 16]>
func.func @run(%w: tensor<40x128xf32, #rows> {cnn.packed = 0 : i64}, %x: tensor<?x128xf32> {cnn.input = "x"}) -> (tensor<?x40xf32> {cnn.output = "y"}) {
  // expected-error @+1 {{cpu_schedule_c6: 'columns' must divide the 4 segments of the reduction}}
  %0 = cnn.group "d" kind "dense" (%a = %x : tensor<?x128xf32>, %b = %w : tensor<40x128xf32, #rows>) -> tensor<?x40xf32> attributes {schedules = {avx512 = #cpu.schedule<algorithm = direct, columns = 3>}} {
    %1 = cnn.dense %a, %b : tensor<?x128xf32>, tensor<40x128xf32, #rows> -> tensor<?x40xf32>
    cnn.yield %1 : tensor<?x40xf32>
  }
  return %0 : tensor<?x40xf32>
}
