// RUN: cnn-opt --cnn-fuse --cnn-lay-out --cnn-schedule=isa=avx2 --cnn-plan-memory --cnn-verify-stage=stage=plan --split-input-file %s | FileCheck %s
// RUN: cnn-opt --cnn-fuse --cnn-lay-out --cnn-schedule=isa=avx2 --cnn-plan-memory=keep-buffers=true --cnn-verify-stage=stage=plan --split-input-file %s | FileCheck --check-prefix=KEEP %s

func.func @prepare() -> (tensor<32x32x1x1xf32> {cnn.packed = 0 : i64}) {
  %0 = cnn.constant dense<1.0> : tensor<32x32x1x1xf32>
  return %0 : tensor<32x32x1x1xf32>
}
// The concatenations' operands are written into them, the inner one into the outer one; b is read by another group as well.
// The copy of the input to blocks is dead when the pooling is written where it was.
// CHECK-LABEL: func.func @run
// CHECK-SAME: cnn.workspace_bytes = 49152 : i64
// CHECK: cnn.group "x.to_blocks"
// CHECK-SAME: placements = [#cnn.placement<segment = workspace, offset = 24576, imageStride = 8192>]
// CHECK: cnn.group "a" {{.*}}placements = [#cnn.placement<segment = workspace, offset = 0, imageStride = 24576>]
// CHECK: cnn.group "b" {{.*}}placements = [#cnn.placement<segment = workspace, offset = 0, slice = 8192, imageStride = 24576>]
// CHECK: cnn.group "inner" {{.*}} attributes {elided
// CHECK: cnn.group "c" {{.*}}placements = [#cnn.placement<segment = workspace, offset = 0, slice = 16384, imageStride = 24576>]
// CHECK: cnn.group "outer" {{.*}} attributes {elided
// CHECK: cnn.group "pool" {{.*}}placements = [#cnn.placement<segment = workspace, offset = 24576, imageStride = 24576>]
// CHECK: cnn.group "pool.to_rows" {{.*}}placements = [#cnn.placement<segment = output, offset = 0, imageStride = 24576>]
// KEEP-LABEL: func.func @run
// KEEP-NOT: elided
func.func @run(%w: tensor<32x32x1x1xf32> {cnn.packed = 0 : i64}, %x: tensor<?x32x8x8xf32> {cnn.input = "x"}) -> (tensor<?x96x8x8xf32> {cnn.output = "y"}) {
  %0 = cnn.conv2d %x, %w {path = "a"} : tensor<?x32x8x8xf32>, tensor<32x32x1x1xf32> -> tensor<?x32x8x8xf32>
  %1 = cnn.conv2d %0, %w {path = "b"} : tensor<?x32x8x8xf32>, tensor<32x32x1x1xf32> -> tensor<?x32x8x8xf32>
  %2 = cnn.concat %0, %1 {axis = 1 : i64, path = "inner"} : tensor<?x32x8x8xf32>, tensor<?x32x8x8xf32> -> tensor<?x64x8x8xf32>
  %3 = cnn.conv2d %1, %w {path = "c"} : tensor<?x32x8x8xf32>, tensor<32x32x1x1xf32> -> tensor<?x32x8x8xf32>
  %4 = cnn.concat %2, %3 {axis = 1 : i64, path = "outer"} : tensor<?x64x8x8xf32>, tensor<?x32x8x8xf32> -> tensor<?x96x8x8xf32>
  %5 = cnn.max_pool %4 {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, path = "pool"} : tensor<?x96x8x8xf32> -> tensor<?x96x8x8xf32>
  return %5 : tensor<?x96x8x8xf32>
}

// -----

func.func @prepare() {
  return
}
// Element-wise over an operand that dies, also in an output. What is read again is not overwritten.
// CHECK-LABEL: func.func @run
// CHECK: cnn.group "a" {{.*}}placements = [#cnn.placement<segment = workspace, offset = 0, imageStride = 448>]
// CHECK: cnn.group "b" {{.*}}placements = [#cnn.placement<segment = workspace, offset = 448, imageStride = 448>]
// CHECK: cnn.group "c" {{.*}}placements = [#cnn.placement<segment = workspace, offset = 448, imageStride = 448>]
// CHECK: cnn.group "d" {{.*}}placements = [#cnn.placement<segment = workspace, offset = 0, imageStride = 448>]
// CHECK: cnn.group "e" {{.*}}placements = [#cnn.placement<segment = output, offset = 0, imageStride = 448>]
// CHECK: cnn.group "f" {{.*}}placements = [#cnn.placement<segment = output, offset = 0,
func.func @run(%x: tensor<?x100xf32> {cnn.input = "x"}) -> (tensor<?x100xf32> {cnn.output = "y"}) {
  %0 = cnn.softmax %x {path = "a"} : tensor<?x100xf32> -> tensor<?x100xf32>
  %1 = cnn.softmax %0 {path = "b"} : tensor<?x100xf32> -> tensor<?x100xf32>
  %2 = cnn.add %1, %0 {path = "c"} : tensor<?x100xf32>, tensor<?x100xf32> -> tensor<?x100xf32>
  %3 = cnn.softmax %2 {path = "d"} : tensor<?x100xf32> -> tensor<?x100xf32>
  %4 = cnn.softmax %3 {path = "e"} : tensor<?x100xf32> -> tensor<?x100xf32>
  %5 = cnn.sub %4, %3 {path = "f"} : tensor<?x100xf32>, tensor<?x100xf32> -> tensor<?x100xf32>
  return %5 : tensor<?x100xf32>
}

// -----

func.func @prepare() {
  return
}
// Why concatenations are not in place.
// CHECK-LABEL: func.func @run
// CHECK: cnn.group "with_input" {{.*}}"not in place: operand 1 is an input of the network"
// CHECK: cnn.group "twice" {{.*}}"not in place: operand 1 stands there twice"
func.func @run(%x: tensor<?x10xf32> {cnn.input = "x"}) -> (tensor<?x20xf32> {cnn.output = "y"}, tensor<?x20xf32> {cnn.output = "z"}) {
  %0 = cnn.softmax %x {path = "a"} : tensor<?x10xf32> -> tensor<?x10xf32>
  %1 = cnn.concat %0, %x {axis = 1 : i64, path = "with_input"} : tensor<?x10xf32>, tensor<?x10xf32> -> tensor<?x20xf32>
  %2 = cnn.concat %0, %0 {axis = 1 : i64, path = "twice"} : tensor<?x10xf32>, tensor<?x10xf32> -> tensor<?x20xf32>
  return %1, %2 : tensor<?x20xf32>, tensor<?x20xf32>
}

// -----

func.func @prepare() {
  return
}
// A reshape is a view: of the input where it is read, and of the output where it is written.
// CHECK-LABEL: func.func @run
// CHECK-SAME: cnn.workspace_bytes = 0 : i64
// CHECK: cnn.group "view" {{.*}} attributes {elided
// CHECK: cnn.group "tanh" {{.*}}placements = [#cnn.placement<segment = output, offset = 0,
// CHECK: cnn.group "back" {{.*}} attributes {elided
func.func @run(%x: tensor<?x10xf32> {cnn.input = "x"}) -> (tensor<?x5x2xf32> {cnn.output = "y"}) {
  %0 = cnn.reshape %x {shape = array<i64: -1, 2, 5>, path = "view"} : tensor<?x10xf32> -> tensor<?x2x5xf32>
  %1 = cnn.softmax %0 {axis = 2 : i64, path = "tanh"} : tensor<?x2x5xf32> -> tensor<?x2x5xf32>
  %2 = cnn.reshape %1 {shape = array<i64: -1, 5, 2>, path = "back"} : tensor<?x2x5xf32> -> tensor<?x5x2xf32>
  return %2 : tensor<?x5x2xf32>
}

// -----

func.func @prepare() -> (tensor<10x32x1x1xf32> {cnn.packed = 0 : i64}) {
  %0 = cnn.constant dense<1.0> : tensor<10x32x1x1xf32>
  return %0 : tensor<10x32x1x1xf32>
}
// The last operand may end within a block of channels; where another one does, the target has rows joined.
// CHECK-LABEL: func.func @run
// CHECK: cnn.group "last" {{.*}} attributes {elided
// CHECK: cnn.group "first" {{.*}}(%{{[a-z0-9]*}} = %{{[0-9]+}} : tensor<?x10x8x8xf32>, {{.*}}) -> tensor<?x42x8x8xf32> attributes {elided
func.func @run(%w: tensor<10x32x1x1xf32> {cnn.packed = 0 : i64}, %x: tensor<?x32x8x8xf32> {cnn.input = "x"}) -> (tensor<?x42x8x8xf32> {cnn.output = "y"}, tensor<?x42x8x8xf32> {cnn.output = "z"}) {
  %0 = cnn.max_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, path = "a"} : tensor<?x32x8x8xf32> -> tensor<?x32x8x8xf32>
  %1 = cnn.conv2d %x, %w {path = "b"} : tensor<?x32x8x8xf32>, tensor<10x32x1x1xf32> -> tensor<?x10x8x8xf32>
  %2 = cnn.concat %0, %1 {axis = 1 : i64, path = "last"} : tensor<?x32x8x8xf32>, tensor<?x10x8x8xf32> -> tensor<?x42x8x8xf32>
  %3 = cnn.concat %1, %0 {axis = 1 : i64, path = "first"} : tensor<?x10x8x8xf32>, tensor<?x32x8x8xf32> -> tensor<?x42x8x8xf32>
  %4 = cnn.max_pool %2 {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, path = "pool"} : tensor<?x42x8x8xf32> -> tensor<?x42x8x8xf32>
  %5 = cnn.max_pool %3 {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, path = "pool2"} : tensor<?x42x8x8xf32> -> tensor<?x42x8x8xf32>
  return %4, %5 : tensor<?x42x8x8xf32>, tensor<?x42x8x8xf32>
}

// -----

func.func @prepare() {
  return
}
// The input is not the network's to overwrite.
// CHECK-LABEL: func.func @run
// CHECK: cnn.group "a" {{.*}}notes = ["not in place: no operand of the result's type is read here for the last time"]
func.func @run(%x: tensor<?x10xf32> {cnn.input = "x"}) -> (tensor<?x10xf32> {cnn.output = "y"}) {
  %0 = cnn.tanh %x {path = "a"} : tensor<?x10xf32> -> tensor<?x10xf32>
  return %0 : tensor<?x10xf32>
}

// -----

func.func @prepare() {
  return
}
// The gradient of a pooling whose windows lie apart goes over the image; one whose windows overlap does not.
// CHECK-LABEL: func.func @run
// CHECK: cnn.group "a" {{.*}}placements = [#cnn.placement<segment = workspace, offset = [[IMAGE:[0-9]+]], imageStride = 4096>]
// CHECK: cnn.group "b" {{.*}}cnn.may_overwrite, {{.*}}placements = [#cnn.placement<segment = workspace, offset = [[IMAGE]], imageStride = 4096>]
// CHECK-NOT: cnn.may_overwrite
// CHECK-NOT: offset = [[IMAGE]], imageStride = 4096
func.func @run(%x: tensor<?x16x8x8xf32> {cnn.input = "x"}, %v: tensor<?x16x4x4xf32> {cnn.input = "v"}, %u: tensor<?x16x6x6xf32> {cnn.input = "u"}) -> (tensor<?x16x8x8xf32> {cnn.output = "y"}) {
  %0 = cnn.max_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, path = "a"} : tensor<?x16x8x8xf32> -> tensor<?x16x8x8xf32>
  %1 = cnn.max_pool_grad %0, %v {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, path = "b"} : tensor<?x16x8x8xf32>, tensor<?x16x4x4xf32> -> tensor<?x16x8x8xf32>
  %2 = cnn.max_pool_grad %1, %u {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, path = "c"} : tensor<?x16x8x8xf32>, tensor<?x16x6x6xf32> -> tensor<?x16x8x8xf32>
  return %2 : tensor<?x16x8x8xf32>
}
