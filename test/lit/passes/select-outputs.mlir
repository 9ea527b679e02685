// RUN: cnn-opt --cnn-select-outputs=names=scores --cnn-simplify %s | FileCheck %s
// RUN: not cnn-opt --cnn-select-outputs=names=scores,boxs %s 2>&1 | FileCheck --check-prefix=ERROR %s

// CHECK: func.func @infer(%arg0: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "scores"})
// CHECK-NEXT: %[[EXP:.*]] = cnn.exp
// CHECK-NEXT: return %[[EXP]]
// ERROR: error: there is no output 'boxs'; the outputs are boxes, scores
func.func @infer(%x: tensor<?x3xf32> {cnn.input = "x"}) -> (tensor<?x3xf32> {cnn.output = "boxes"}, tensor<?x3xf32> {cnn.output = "scores"}) {
  %0 = cnn.tanh %x {path = "tanh"} : tensor<?x3xf32> -> tensor<?x3xf32>
  %1 = cnn.exp %x {path = "exp"} : tensor<?x3xf32> -> tensor<?x3xf32>
  return %0, %1 : tensor<?x3xf32>, tensor<?x3xf32>
}
