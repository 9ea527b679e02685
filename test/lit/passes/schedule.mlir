// RUN: cnn-opt --cnn-fuse --cnn-lay-out --cnn-schedule=isa=avx512,avx2 --cnn-verify-stage=stage=schedule %s | FileCheck %s
// RUN: cnn-opt --cnn-fuse --cnn-lay-out "--cnn-schedule=isa=avx2 exact=true" %s | FileCheck --check-prefix=EXACT %s
// RUN: not cnn-opt --cnn-fuse --cnn-lay-out --cnn-schedule=isa=mmx %s 2>&1 | FileCheck --check-prefix=ISA %s

// EXACT-NOT: winograd_conv2d
// ISA: error: target 'cpu' has no instruction set 'mmx'; it has avx512, avx2, sse

cnn.param @w : tensor<32x32x3x3xf32>
cnn.param @g : tensor<8x4x1x1xf32>
cnn.param @b : tensor<32xf32>

// A weight that two groups read is packed for each of them, and once for two that read it alike.
// CHECK: func.func @prepare(%[[W:arg0]]: {{.*}}, %[[G:arg1]]: {{.*}}, %[[B:arg2]]: {{.*}}) -> (
// CHECK-SAME: tensor<32x32x3x3xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16, 0 : 16]>> {cnn.packed = 0 : i64}, tensor<32xf32, #cnn.layout<outer = [0], inner = [0 : 16]>> {cnn.packed = 1 : i64}
// CHECK-DAG: %[[DIRECT:.*]] = cnn.relayout %[[W]]
// CHECK-DAG: %[[BIAS:.*]] = cnn.relayout %[[B]]
// CHECK-DAG: %[[POINTS:.*]] = cnn.winograd_weights %[[W]] : tensor<32x32x3x3xf32> -> tensor<6x6x32x32xf32>
// CHECK-DAG: cnn.relayout %[[POINTS]] : tensor<6x6x32x32xf32> -> tensor<6x6x32x32xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [2 : 16]>>
// CHECK-DAG: %[[EXPANDED:.*]] = cnn.expand_groups %[[G]] {groups = 8 : i64} : tensor<8x4x1x1xf32> -> tensor<8x32x1x1xf32>
// CHECK-DAG: cnn.relayout %[[EXPANDED]] : tensor<8x32x1x1xf32> -> tensor<8x32x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16, 0 : 16]>>
func.func @prepare(%w: tensor<32x32x3x3xf32> {cnn.state = @w}, %g: tensor<8x4x1x1xf32> {cnn.state = @g}, %b: tensor<32xf32> {cnn.state = @b}) -> (tensor<32x32x3x3xf32> {cnn.packed = 0 : i64}, tensor<8x4x1x1xf32> {cnn.packed = 1 : i64}, tensor<32xf32> {cnn.packed = 2 : i64}) {
  return %w, %g, %b : tensor<32x32x3x3xf32>, tensor<8x4x1x1xf32>, tensor<32xf32>
}
// CHECK: func.func @run
// CHECK: cnn.group "a" kind "conv2d" ({{.*}}, {{.*}} = %arg0 : {{.*}}, {{.*}} = %arg1 : {{.*}})
// CHECK-SAME: schedules = {avx2 = #cpu.schedule<algorithm = direct{{.*}}>, avx512 = #cpu.schedule<algorithm = direct{{.*}}>}
// CHECK-NEXT: cnn.conv2d
// CHECK: cnn.group "b" kind "conv2d" ({{.*}}, {{.*}} = %arg0 : {{.*}})
// CHECK: cnn.group "c" kind "conv2d" ({{.*}}tensor<6x6x32x32xf32
// CHECK-SAME: schedules = {avx2 = #cpu.schedule<algorithm = winograd{{.*}}>, avx512 = #cpu.schedule<algorithm = winograd{{.*}}>}
// CHECK-NEXT: cnn.winograd_conv2d
// CHECK: cnn.group "d" kind "conv2d"
// CHECK-NEXT: cnn.conv2d {{.*}} {path = "d"} : {{.*}} tensor<8x32x1x1xf32
func.func @run(%w: tensor<32x32x3x3xf32> {cnn.packed = 0 : i64}, %g: tensor<8x4x1x1xf32> {cnn.packed = 1 : i64}, %b: tensor<32xf32> {cnn.packed = 2 : i64}, %x: tensor<?x32x16x16xf32> {cnn.input = "x"}) -> (tensor<?x8x10x10xf32> {cnn.output = "y"}) {
  %0 = cnn.conv2d %x, %w bias %b {path = "a", cnn.schedule = {algorithm = "direct"}} : tensor<?x32x16x16xf32>, tensor<32x32x3x3xf32>, tensor<32xf32> -> tensor<?x32x14x14xf32>
  %1 = cnn.conv2d %0, %w {path = "b", cnn.schedule = {algorithm = "direct"}} : tensor<?x32x14x14xf32>, tensor<32x32x3x3xf32> -> tensor<?x32x12x12xf32>
  %2 = cnn.conv2d %1, %w {path = "c", cnn.schedule = {algorithm = "winograd"}} : tensor<?x32x12x12xf32>, tensor<32x32x3x3xf32> -> tensor<?x32x10x10xf32>
  %3 = cnn.conv2d %2, %g {groups = 8 : i64, path = "d"} : tensor<?x32x10x10xf32>, tensor<8x4x1x1xf32> -> tensor<?x8x10x10xf32>
  return %3 : tensor<?x8x10x10xf32>
}
