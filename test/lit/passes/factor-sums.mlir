// RUN: cnn-opt --cnn-factor-sums --cnn-simplify --split-input-file %s | FileCheck %s

// g * factor + k * (x - mean(x)), summed over the batch: factor * sum(g).
// CHECK-LABEL: module @centred
// CHECK-NOT: cnn.sub
// CHECK: %[[S:.*]] = cnn.reduce %arg1 {{.*}}kind = #cnn.reduce_kind<sum>
// CHECK: %[[P:.*]] = cnn.mul %[[S]], %arg2
// CHECK: %[[N:.*]] = cnn.neg %[[P]]
// CHECK: return %[[N]]
module @centred {
  func.func @run(%x: tensor<?x8x4x4xf32> {cnn.input = "x"}, %g: tensor<?x8x4x4xf32> {cnn.input = "g"},
                 %f: tensor<8xf32> {cnn.input = "f"}) -> (tensor<8xf32> {cnn.output = "sum"}) {
    %mean = cnn.reduce %x {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 2, 3>} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    %means = cnn.broadcast %mean {dims = array<i64: 1>, shape = array<i64: -1, 8, 4, 4>} : tensor<8xf32> -> tensor<?x8x4x4xf32>
    %c = cnn.sub %x, %means : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %fs = cnn.broadcast %f {dims = array<i64: 1>, shape = array<i64: -1, 8, 4, 4>} : tensor<8xf32> -> tensor<?x8x4x4xf32>
    %a = cnn.mul %g, %fs : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %b = cnn.mul %fs, %c : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %t = cnn.add %a, %b : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %n = cnn.neg %t : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %sum = cnn.reduce %n {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 2, 3>} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    return %sum : tensor<8xf32>
  }
}

// -----

// Centred over other dimensions than those of the sum: nothing vanishes, and the sum stays as it is. So does one whose
// terms are two tensors.
// CHECK-LABEL: module @others
// CHECK: cnn.sub
// CHECK: cnn.mul
// CHECK: cnn.reduce %{{.*}} {dims = array<i64: 0, 2, 3>, kind = #cnn.reduce_kind<sum>
// CHECK: %[[T:.*]] = cnn.add
// CHECK: cnn.reduce %[[T]]
module @others {
  func.func @run(%x: tensor<?x8x4x4xf32> {cnn.input = "x"}, %g: tensor<?x8x4x4xf32> {cnn.input = "g"},
                 %f: tensor<8xf32> {cnn.input = "f"}) -> (tensor<8xf32> {cnn.output = "a"}, tensor<8xf32> {cnn.output = "b"}) {
    %mean = cnn.reduce %x {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0>} : tensor<?x8x4x4xf32> -> tensor<8x4x4xf32>
    %means = cnn.broadcast %mean {dims = array<i64: 1, 2, 3>, shape = array<i64: -1, 8, 4, 4>} : tensor<8x4x4xf32> -> tensor<?x8x4x4xf32>
    %c = cnn.sub %x, %means : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %p = cnn.mul %c, %g : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %a = cnn.reduce %p {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 2, 3>} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    %t = cnn.add %x, %g : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %b = cnn.reduce %t {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 2, 3>} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    return %a, %b : tensor<8xf32>, tensor<8xf32>
  }
}

// -----

// What is computed again is what the mean was taken of: only the mean is saved.
// CHECK-LABEL: module @again
// CHECK-NOT: cnn.sub
// CHECK: %[[S:.*]] = cnn.reduce %arg1 {{.*}}kind = #cnn.reduce_kind<sum>
// CHECK-NEXT: return %[[S]]
module @again {
  func.func @run(%x: tensor<?x8x4x4xf32> {cnn.input = "x"}, %g: tensor<?x8x4x4xf32> {cnn.input = "g"})
      -> (tensor<8xf32> {cnn.output = "sum"}) {
    %r = cnn.relu %x {path = "r"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %e = cnn.exp %r {path = "e"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %mean = cnn.reduce %e {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 2, 3>} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    %r2 = cnn.relu %x {cnn.recomputed = 0 : i64, path = "r.again"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %e2 = cnn.exp %r2 {cnn.recomputed = 0 : i64, path = "e.again"} : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %means = cnn.broadcast %mean {dims = array<i64: 1>, shape = array<i64: -1, 8, 4, 4>} : tensor<8xf32> -> tensor<?x8x4x4xf32>
    %c = cnn.sub %e2, %means : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %t = cnn.add %g, %c : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %sum = cnn.reduce %t {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 2, 3>} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    return %sum : tensor<8xf32>
  }
}

// -----

// Centred, but with another's mean.
// CHECK-LABEL: module @another
// CHECK: cnn.sub
// CHECK: %[[T:.*]] = cnn.add
// CHECK: cnn.reduce %[[T]]
module @another {
  func.func @run(%x: tensor<?x8x4x4xf32> {cnn.input = "x"}, %g: tensor<?x8x4x4xf32> {cnn.input = "g"})
      -> (tensor<8xf32> {cnn.output = "sum"}) {
    %e = cnn.exp %x : tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %mean = cnn.reduce %x {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 2, 3>} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    %means = cnn.broadcast %mean {dims = array<i64: 1>, shape = array<i64: -1, 8, 4, 4>} : tensor<8xf32> -> tensor<?x8x4x4xf32>
    %c = cnn.sub %e, %means : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %t = cnn.add %g, %c : tensor<?x8x4x4xf32>, tensor<?x8x4x4xf32> -> tensor<?x8x4x4xf32>
    %sum = cnn.reduce %t {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 2, 3>} : tensor<?x8x4x4xf32> -> tensor<8xf32>
    return %sum : tensor<8xf32>
  }
}
