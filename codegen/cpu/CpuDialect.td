// The `cpu` dialect: one attribute, what was decided for a group on one instruction set.
#ifndef CNN_CODEGEN_CPU_DIALECT_TD
#define CNN_CODEGEN_CPU_DIALECT_TD

include "codegen/cpu/CpuEnums.td"
include "ir/CnnAttrs.td"

def Cpu_Dialect : Dialect {
  let name = "cpu";
  let cppNamespace = "::cnn::cpu";
  let summary = "Schedules of groups on CPUs";
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{ void registerAttributes(); }];
}

def Cpu_ScheduleAttr : AttrDef<Cpu_Dialect, "Schedule", [DeclareAttrInterfaceMethods<Cnn_ScheduleAttrInterface>]> {
  let mnemonic = "schedule";
  let summary = "Algorithm, register tile and parallel split of a group";
  let description = [{
    `direct`: a contraction on register tiles of `rows` output rows (images, for a dense layer) by `columns` output columns
    (segments of the reduction summed at the same time, for a dense layer of one row) by `blocks` blocks of 16 output
    channels, `unroll` input channels in the innermost loop, `unit_tiles` tiles a work unit. `winograd`: F(4x4, 3x3), whose
    products have the tile. `vector`: loops over vectors of 16. `scalar`: a loop nest from the operations' formulas.

    The algorithm is the same on every instruction set, since packed weights and sums depend on it; the rest varies.

    Example: `#cpu.schedule<algorithm = direct, columns = 14, blocks = 2, unroll = 4>`
  }];
  let parameters = (ins EnumParameter<Cpu_Algorithm>:$algorithm,
                        DefaultValuedParameter<"int64_t", "1">:$rows, DefaultValuedParameter<"int64_t", "1">:$columns,
                        DefaultValuedParameter<"int64_t", "1">:$blocks, DefaultValuedParameter<"int64_t", "1">:$unroll,
                        DefaultValuedParameter<"int64_t", "1">:$unitTiles,
                        DefaultValuedParameter<"bool", "false">:$weightsOuter,
                        DefaultValuedParameter<"int64_t", "0">:$prefetchWeights,
                        DefaultValuedParameter<"bool", "false">:$prefetchNext);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif
