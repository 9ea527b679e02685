// Enumerations of the `cuda` dialect; a file of its own, since mlir-tblgen generates every enumeration that it sees.
#ifndef CNN_CODEGEN_CUDA_ENUMS_TD
#define CNN_CODEGEN_CUDA_ENUMS_TD

include "mlir/IR/EnumAttr.td"

def Cuda_Algorithm : I32EnumAttr<"Algorithm", "How a group is computed", [
  I32EnumAttrCase<"Element", 0, "element">, I32EnumAttrCase<"Chain", 1, "chain">,
  I32EnumAttrCase<"Reduce", 2, "reduce">, I32EnumAttrCase<"Softmax", 3, "softmax">,
  I32EnumAttrCase<"Matmul", 4, "matmul">, I32EnumAttrCase<"Conv", 5, "conv">,
  I32EnumAttrCase<"WeightGrad", 6, "weight_grad">, I32EnumAttrCase<"Depthwise", 7, "depthwise">,
  I32EnumAttrCase<"DepthwiseGrad", 8, "depthwise_grad">, I32EnumAttrCase<"Pool", 9, "pool">]> {
  let cppNamespace = "::cnn::cuda";
  let genSpecializedAttr = 0;
}

#endif
