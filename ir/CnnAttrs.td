// Attributes: layouts, initializers, precision, where a buffer lies, and the interface that every target's schedule implements.
#ifndef CNN_ATTRS_TD
#define CNN_ATTRS_TD

include "ir/CnnDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/TensorEncoding.td"

class Cnn_Attr<string name, string attrMnemonic, list<Trait> traits = []> : AttrDef<Cnn_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Cnn_LayoutAttr : Cnn_Attr<"Layout", "layout", [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "How a tensor lies in memory";
  let description = [{
    The storage order: first the outer dimensions (counts of tiles) in the order of `outer`, a permutation of the tensor's
    dimensions, then the inner tiles, the last one innermost. A dimension that its tile size does not divide is padded to a
    multiple; the padded lanes of a stored tensor are zero. Dimension 0 of an activation is its outermost, untiled dimension,
    so that a tensor is a sequence of images of equal size.

    Example: `#cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>` stores NCHW as [N][C/16][H][W][16].
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$outer, ArrayRefParameter<"int64_t">:$innerDims,
                        ArrayRefParameter<"int64_t">:$innerSizes);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The extents of the storage, outermost first, of a tensor of `shape`; a dynamic dimension 0 stays dynamic.
    ::llvm::SmallVector<int64_t> storageShape(::llvm::ArrayRef<int64_t> shape) const;
    /// The extent of one storage tile of dimension `dim` (1 where it is not tiled).
    int64_t tileSize(int64_t dim) const;
    /// Channels in blocks of `block` innermost: `outer = [0..rank-1], inner = [1 : block]`.
    static LayoutAttr channelBlocked(::mlir::MLIRContext *context, int64_t rank, int64_t block = 16);
    /// [0..rank-1] outside and the given tiles inside.
    static LayoutAttr tiled(::mlir::MLIRContext *context, int64_t rank, ::llvm::ArrayRef<int64_t> dims,
                            ::llvm::ArrayRef<int64_t> sizes);
    /// True for channels (dimension 1) in blocks, all else in order.
    bool isChannelBlocked() const;
  }];
}

def Cnn_Initializer : I32EnumAttr<"Initializer", "How a state variable starts", [
  I32EnumAttrCase<"Zeros", 0, "zeros">, I32EnumAttrCase<"Ones", 1, "ones">, I32EnumAttrCase<"Constant", 2, "constant">,
  I32EnumAttrCase<"Uniform", 3, "uniform">, I32EnumAttrCase<"Normal", 4, "normal">, I32EnumAttrCase<"Xavier", 5, "xavier">,
  I32EnumAttrCase<"He", 6, "he">, I32EnumAttrCase<"Orthogonal", 7, "orthogonal">]> {
  let cppNamespace = "::cnn";
  let genSpecializedAttr = 0;
}

def Cnn_InitAttr : Cnn_Attr<"Init", "init"> {
  let summary = "The initializer of a state variable";
  let description = [{
    `a` and `b` are the value (`constant`), the bounds (`uniform`) or mean and standard deviation (`normal`). `xavier` is
    Glorot and Bengio's uniform(-l, l) with l = sqrt(6 / (fan_in + fan_out)); `he` is He et al.'s normal(0, sqrt(2 / fan_in)).
    `orthogonal` is Saxe et al.'s (2014): the matrix [shape[0], shape[1..]] has orthonormal rows, or columns where there are
    fewer of them. Fans are the products of the other dimensions and of the kernel: fan_in = shape[1] * shape[2..], fan_out = shape[0] *
    shape[2..].
  }];
  let parameters = (ins EnumParameter<Cnn_Initializer>:$kind, OptionalParameter<"::mlir::FloatAttr">:$a,
                        OptionalParameter<"::mlir::FloatAttr">:$b);
  let assemblyFormat = "`<` $kind (`,` `a` `=` $a^)? (`,` `b` `=` $b^)? `>`";
  let extraClassDeclaration = [{
    double valueA() const { return getA() ? getA().getValueAsDouble() : 0.0; }
    double valueB() const { return getB() ? getB().getValueAsDouble() : 0.0; }
  }];
}

def Cnn_Precision : I32EnumAttr<"Precision", "In what precision a contraction multiplies; it accumulates in f32", [
  I32EnumAttrCase<"F32", 0, "f32">, I32EnumAttrCase<"TF32", 1, "tf32">, I32EnumAttrCase<"F16", 2, "f16">,
  I32EnumAttrCase<"BF16", 3, "bf16">]> {
  let cppNamespace = "::cnn";
  let genSpecializedAttr = 0;
}
def Cnn_PrecisionAttr : EnumAttr<Cnn_Dialect, Cnn_Precision, "precision"> { let assemblyFormat = "`<` $value `>`"; }

def Cnn_PadMode : I32EnumAttr<"PadMode", "What lies outside", [
  I32EnumAttrCase<"Constant", 0, "constant">, I32EnumAttrCase<"Reflect", 1, "reflect">]> {
  let cppNamespace = "::cnn";
  let genSpecializedAttr = 0;
}
def Cnn_PadModeAttr : EnumAttr<Cnn_Dialect, Cnn_PadMode, "pad_mode"> { let assemblyFormat = "`<` $value `>`"; }

def Cnn_WarpFilter : I32EnumAttr<"WarpFilter", "What a place between pixels has", [
  I32EnumAttrCase<"Bilinear", 0, "bilinear">, I32EnumAttrCase<"Nearest", 1, "nearest">]> {
  let cppNamespace = "::cnn";
  let genSpecializedAttr = 0;
}
def Cnn_WarpFilterAttr : EnumAttr<Cnn_Dialect, Cnn_WarpFilter, "warp_filter"> { let assemblyFormat = "`<` $value `>`"; }

def Cnn_WarpBorder : I32EnumAttr<"WarpBorder", "What lies outside an image that is resampled", [
  I32EnumAttrCase<"Zero", 0, "zero">, I32EnumAttrCase<"Clamp", 1, "clamp">, I32EnumAttrCase<"Reflect", 2, "reflect">]> {
  let cppNamespace = "::cnn";
  let genSpecializedAttr = 0;
}
def Cnn_WarpBorderAttr : EnumAttr<Cnn_Dialect, Cnn_WarpBorder, "warp_border"> { let assemblyFormat = "`<` $value `>`"; }

def Cnn_ResizeMode : I32EnumAttr<"ResizeMode", "How pixels of a resized image come about", [
  I32EnumAttrCase<"Nearest", 0, "nearest">, I32EnumAttrCase<"Bilinear", 1, "bilinear">]> {
  let cppNamespace = "::cnn";
  let genSpecializedAttr = 0;
}
def Cnn_ResizeModeAttr : EnumAttr<Cnn_Dialect, Cnn_ResizeMode, "resize_mode"> { let assemblyFormat = "`<` $value `>`"; }

def Cnn_ReduceKind : I32EnumAttr<"ReduceKind", "What a reduction computes", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Mean", 1, "mean">, I32EnumAttrCase<"Max", 2, "max">,
  I32EnumAttrCase<"Min", 3, "min">]> {
  let cppNamespace = "::cnn";
  let genSpecializedAttr = 0;
}
def Cnn_ReduceKindAttr : EnumAttr<Cnn_Dialect, Cnn_ReduceKind, "reduce_kind"> { let assemblyFormat = "`<` $value `>`"; }

def Cnn_Segment : I32EnumAttr<"Segment", "The memory that a buffer lies in", [
  I32EnumAttrCase<"Weights", 0, "weights">, I32EnumAttrCase<"Workspace", 1, "workspace">,
  I32EnumAttrCase<"Fixed", 2, "fixed">, I32EnumAttrCase<"Input", 3, "input">, I32EnumAttrCase<"Output", 4, "output">,
  I32EnumAttrCase<"State", 5, "state">]> {
  let cppNamespace = "::cnn";
  let genSpecializedAttr = 0;
}

def Cnn_PlacementAttr : Cnn_Attr<"Placement", "placement"> {
  let summary = "Where a group's result or scratch lies";
  let description = [{
    `workspace`: the buffer begins at `offset * batch` and image i of it at `slice + i * image_stride` from there.
    `fixed`: `offset` in the part that does not depend on the batch. `input` and `output`: `offset` is the index.
    `state`: `offset` in the state that a training step updates; all of the variable.
    `weights`: `offset` in the packed weights; `image_stride` is 0. `slice` is the place within an image of the whole, when
    the buffer is a part of a larger one (a concatenation in place). All in bytes.
  }];
  let parameters = (ins EnumParameter<Cnn_Segment>:$segment, "int64_t":$offset,
                        DefaultValuedParameter<"int64_t", "0">:$slice,
                        DefaultValuedParameter<"int64_t", "0">:$imageStride);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Cnn_ScheduleAttrInterface : AttrInterface<"ScheduleAttrInterface"> {
  let cppNamespace = "::cnn";
  let description = [{
    What a target decided for one group on one instruction set or architecture. A group holds a dictionary of these,
    `{avx512 = ..., avx2 = ...}`; code generation obeys them and decides nothing itself.
  }];
  let methods = [
    InterfaceMethod<"Checks that this schedule fits the group; emits an error otherwise.", "::llvm::LogicalResult",
                    "verifyFor", (ins "::mlir::Operation *":$group)>,
    InterfaceMethod<"Bytes of group scratch for one image, shared by the group's kernels.", "int64_t", "scratchBytesPerImage",
                    (ins "::mlir::Operation *":$group)>,
    InterfaceMethod<"Bytes of group scratch that is one for all images, shared by the group's kernels. A group has one sort "
                    "of scratch or the other.", "int64_t", "scratchBytes", (ins "::mlir::Operation *":$group)>,
    InterfaceMethod<"The algorithm's name, such as `direct` or `winograd`.", "::llvm::StringRef", "algorithmName", (ins)>,
    InterfaceMethod<"Schedules one change away, for a tuner to search.",
                    "::llvm::SmallVector<::mlir::Attribute>", "neighbours", (ins "::mlir::Operation *":$group)>,
    InterfaceMethod<"A line for people, such as `14 pixels x 2 blocks`.", "std::string", "describe", (ins)>
  ];
}

#endif
