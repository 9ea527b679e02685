// RUN: cnn-opt --cnn-fold-batch-norm --split-input-file %s | FileCheck %s

cnn.param @w : tensor<8x3x3x3xf32>
cnn.param @b : tensor<8xf32>
cnn.param @scale : tensor<8xf32>
cnn.param @offset : tensor<8xf32>
cnn.statistic @mean : tensor<8xf32>
cnn.statistic @variance : tensor<8xf32>

// w * s and b * s + t with s = scale / sqrt(variance + epsilon), t = offset - mean * s.
// CHECK-LABEL: @infer
// CHECK-SAME: %[[X:arg0]]: {{.*}}, %[[W:arg1]]: {{.*}}, %[[B:arg2]]: {{.*}}, %[[SCALE:arg3]]: {{.*}}, %[[OFFSET:arg4]]: {{.*}}, %[[MEAN:arg5]]: {{.*}}, %[[VARIANCE:arg6]]:
// CHECK-NEXT: %[[EPSILON:.*]] = cnn.constant dense<1.000000e-03> : tensor<8xf32>
// CHECK-NEXT: %[[SUM:.*]] = cnn.add %[[VARIANCE]], %[[EPSILON]]
// CHECK-NEXT: %[[DEVIATION:.*]] = cnn.sqrt %[[SUM]]
// CHECK-NEXT: %[[S:.*]] = cnn.div %[[SCALE]], %[[DEVIATION]]
// CHECK-NEXT: %[[SHIFT:.*]] = cnn.mul %[[MEAN]], %[[S]]
// CHECK-NEXT: %[[T:.*]] = cnn.sub %[[OFFSET]], %[[SHIFT]]
// CHECK-NEXT: %[[SPREAD:.*]] = cnn.broadcast %[[S]] {dims = array<i64: 0>, path = "conv", shape = array<i64: 8, 3, 3, 3>}
// CHECK-NEXT: %[[WEIGHT:.*]] = cnn.mul %[[W]], %[[SPREAD]] {path = "conv"}
// CHECK-NEXT: %[[SCALED:.*]] = cnn.mul %[[B]], %[[S]]
// CHECK-NEXT: %[[BIAS:.*]] = cnn.add %[[SCALED]], %[[T]]
// CHECK-NEXT: %[[Y:.*]] = cnn.conv2d %[[X]], %[[WEIGHT]] bias %[[BIAS]] {path = "conv"}
// CHECK-NEXT: return %[[Y]]
func.func @infer(%x: tensor<?x3x8x8xf32> {cnn.input = "x"}, %w: tensor<8x3x3x3xf32> {cnn.state = @w}, %b: tensor<8xf32> {cnn.state = @b},
    %scale: tensor<8xf32> {cnn.state = @scale}, %offset: tensor<8xf32> {cnn.state = @offset},
    %mean: tensor<8xf32> {cnn.state = @mean}, %variance: tensor<8xf32> {cnn.state = @variance}) -> (tensor<?x8x6x6xf32> {cnn.output = "y"}) {
  %0 = cnn.conv2d %x, %w bias %b {path = "conv"} : tensor<?x3x8x8xf32>, tensor<8x3x3x3xf32>, tensor<8xf32> -> tensor<?x8x6x6xf32>
  %1 = cnn.batch_norm %0, %scale, %offset, %mean, %variance {epsilon = 1.0e-3 : f64, path = "bn"} : tensor<?x8x6x6xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32> -> tensor<?x8x6x6xf32>
  return %1 : tensor<?x8x6x6xf32>
}

// -----

cnn.param @w : tensor<8x3xf32>
cnn.param @v : tensor<8xf32>

// The dense layer is read twice, so it stays as it is and batch norm becomes x * s + t.
// CHECK-LABEL: @infer
// CHECK: %[[X:.*]] = cnn.dense %arg0, %arg1 {path = "dense"}
// CHECK: %[[S:.*]] = cnn.div %arg2
// CHECK: %[[T:.*]] = cnn.sub %arg2
// CHECK-NEXT: %[[SPREAD:.*]] = cnn.broadcast %[[S]] {dims = array<i64: 1>, path = "bn", shape = array<i64: -1, 8>} : tensor<8xf32> -> tensor<?x8xf32>
// CHECK-NEXT: %[[SCALED:.*]] = cnn.mul %[[X]], %[[SPREAD]] {path = "bn"}
// CHECK-NEXT: %[[OFFSET:.*]] = cnn.broadcast %[[T]]
// CHECK-NEXT: %[[Y:.*]] = cnn.add %[[SCALED]], %[[OFFSET]] {path = "bn"}
// CHECK-NEXT: return %[[Y]], %[[X]]
func.func @infer(%x: tensor<?x3xf32> {cnn.input = "x"}, %w: tensor<8x3xf32> {cnn.state = @w}, %v: tensor<8xf32> {cnn.state = @v}) -> (tensor<?x8xf32> {cnn.output = "y"}, tensor<?x8xf32> {cnn.output = "z"}) {
  %0 = cnn.dense %x, %w {path = "dense"} : tensor<?x3xf32>, tensor<8x3xf32> -> tensor<?x8xf32>
  %1 = cnn.batch_norm %0, %v, %v, %v, %v {path = "bn"} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  return %1, %0 : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

cnn.param @w : tensor<8x3xf32>
cnn.param @v : tensor<8xf32>

// The weight is an input, so the layer is not scaled. The second batch norm follows no layer.
// CHECK-LABEL: @infer
// CHECK: %[[X:.*]] = cnn.dense %arg0, %arg1 {path = "dense"}
// CHECK-COUNT-4: cnn.broadcast {{.*}} -> tensor<?x8xf32>
// CHECK-NOT: cnn.batch_norm
func.func @infer(%x: tensor<?x3xf32> {cnn.input = "x"}, %w: tensor<8x3xf32> {cnn.input = "w"}, %v: tensor<8xf32> {cnn.state = @v}) -> (tensor<?x8xf32> {cnn.output = "y"}) {
  %0 = cnn.dense %x, %w {path = "dense"} : tensor<?x3xf32>, tensor<8x3xf32> -> tensor<?x8xf32>
  %1 = cnn.batch_norm %0, %v, %v, %v, %v {path = "bn"} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  %2 = cnn.batch_norm %1, %v, %v, %v, %v {path = "bn2"} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}
