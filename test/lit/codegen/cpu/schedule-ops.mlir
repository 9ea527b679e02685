// RUN: cnn-opt %s | cnn-opt | FileCheck %s

// What is not said is 1, 0 or false.
// CHECK-LABEL: func.func @run
// CHECK: schedules = {avx512 = #cpu.schedule<algorithm = vector>}
func.func @run(%x: tensor<?x8xf32> {cnn.input = "x"}) -> (tensor<?x8xf32> {cnn.output = "y"}) {
  %0 = cnn.group "r" kind "elementwise" (%a = %x : tensor<?x8xf32>) -> tensor<?x8xf32> attributes {schedules = {avx512 = #cpu.schedule<algorithm = vector, rows = 1, weightsOuter = false>}} {
    %1 = cnn.relu %a : tensor<?x8xf32> -> tensor<?x8xf32>
    cnn.yield %1 : tensor<?x8xf32>
  }
  return %0 : tensor<?x8xf32>
}
// CHECK-LABEL: func.func private @tile
// CHECK-SAME: #cpu.schedule<algorithm = direct, rows = 2, columns = 14, blocks = 2, unroll = 4, unitTiles = 3, weightsOuter = true, prefetchWeights = 4096, prefetchNext = true>
func.func private @tile() attributes {tile = #cpu.schedule<algorithm = direct, rows = 2, columns = 14, blocks = 2, unroll = 4, unitTiles = 3, weightsOuter = true, prefetchWeights = 4096, prefetchNext = true>}
