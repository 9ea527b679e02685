// The `cuda` dialect: one attribute, what was decided for a group on one architecture.
#ifndef CNN_CODEGEN_CUDA_DIALECT_TD
#define CNN_CODEGEN_CUDA_DIALECT_TD

include "codegen/cuda/CudaEnums.td"
include "ir/CnnAttrs.td"

def Cuda_Dialect : Dialect {
  let name = "cuda";
  let cppNamespace = "::cnn::cuda";
  let summary = "Schedules of groups on NVIDIA GPUs";
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{ void registerAttributes(); }];
}

def Cuda_ScheduleAttr : AttrDef<Cuda_Dialect, "Schedule", [DeclareAttrInterfaceMethods<Cnn_ScheduleAttrInterface>]> {
  let mnemonic = "schedule";
  let summary = "Algorithm and launch of a group";
  let description = [{
    `element`: each thread computes one stored element of the results by the operations' formulas. `chain`: element-wise
    operations, four consecutive elements a thread, loaded and stored as one. `reduce`: the threads of a block share the
    terms of some results and join their sums in shared memory. `softmax`: a warp a row. `matmul`, `conv` and `weight_grad`: a
    product of matrices in tiles of `rows` by `columns` that go over k in steps of `depth`, `stages` of them in shared
    memory, in `slices` of k whose sums a second kernel adds; the other algorithms have no tile. With `warpgroups` the
    products are wgmma's, which sm_90a alone has, instead of mma.sync's. `depthwise`: four channels of `columns`
    neighbouring positions a thread. `depthwise_grad`: its gradient by the weights. `pool`: a pooling or its gradient,
    four channels of a position a thread. `threads` is the size of a block.

    The algorithm is the same on every architecture, since packed weights and scratch depend on it.

    Example: `#cuda.schedule<algorithm = element, threads = 256>`
  }];
  let parameters = (ins EnumParameter<Cuda_Algorithm>:$algorithm,
                        DefaultValuedParameter<"int64_t", "256">:$threads,
                        DefaultValuedParameter<"int64_t", "0">:$rows, DefaultValuedParameter<"int64_t", "0">:$columns,
                        DefaultValuedParameter<"int64_t", "0">:$depth, DefaultValuedParameter<"int64_t", "0">:$stages,
                        DefaultValuedParameter<"bool", "false">:$warpgroups,
                        DefaultValuedParameter<"int64_t", "1">:$slices);
  let builders = [
    AttrBuilder<(ins "Algorithm":$algorithm, "int64_t":$threads, CArg<"int64_t", "0">:$columns),
                "return $_get($_ctxt, algorithm, threads, 0, columns, 0, 0, false, 1);">
  ];
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif
