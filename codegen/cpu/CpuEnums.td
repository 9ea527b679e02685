// Enumerations of the `cpu` dialect; a file of its own, since mlir-tblgen generates every enumeration that it sees.
#ifndef CNN_CODEGEN_CPU_ENUMS_TD
#define CNN_CODEGEN_CPU_ENUMS_TD

include "mlir/IR/EnumAttr.td"

def Cpu_Algorithm : I32EnumAttr<"Algorithm", "How a group is computed", [
  I32EnumAttrCase<"Direct", 0, "direct">, I32EnumAttrCase<"Winograd", 1, "winograd">, I32EnumAttrCase<"Vector", 2, "vector">,
  I32EnumAttrCase<"Scalar", 3, "scalar">, I32EnumAttrCase<"Rows", 4, "rows">]> {
  let cppNamespace = "::cnn::cpu";
  let genSpecializedAttr = 0;
}

#endif
