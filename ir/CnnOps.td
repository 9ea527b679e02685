// The operations of the `cnn` dialect. Every entry gives the formula, the shapes and an example; labels such as `conv2d_c3`
// name the constraints, and the verifier's messages use the same labels.
#ifndef CNN_OPS_TD
#define CNN_OPS_TD

include "ir/CnnAttrs.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/RegionKindInterface.td"

def Cnn_Tensor : RankedTensorOf<[AnyType]>;

/// A pure tensor operation with a path: its result types follow from its operands (encodings are left to the layout pass).
class Cnn_TensorOp<string mnemonic, list<Trait> traits = []>
    : Cnn_Op<mnemonic, !listconcat([Pure, InferTypeOpAdaptorWithIsCompatible], traits)> {
  let results = (outs Cnn_Tensor:$result);
  // Result types are compatible when shape and element type agree; encodings have no meaning for values.
  let extraClassDefinition = [{
    bool $cppClass::isCompatibleReturnTypes(::mlir::TypeRange inferred, ::mlir::TypeRange actual) {
      return ::cnn::agreeButForLayout(inferred, actual);
    }
  }];
}

def Cnn_Elementwise : NativeOpTrait<"Elementwise"> { let cppNamespace = "::cnn"; }

//===-- State ----------------------------------------------------------------------------------------------------------===//

class Cnn_StateOp<string mnemonic> : Cnn_Op<mnemonic, [Symbol]> {
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Cnn_Tensor>:$type, OptionalAttr<Cnn_InitAttr>:$init,
                       OptionalAttr<StrAttr>:$source_name);
  let assemblyFormat = "$sym_name `:` $type (`init` $init^)? (`from` $source_name^)? attr-dict";
  let hasVerifier = 1;
}

def Cnn_ParamOp : Cnn_StateOp<"param"> {
  let summary = "Declares a parameter: trained, counted by `parameters`";
  let description = [{
    The symbol is the path; `from` is the tensor's name in weights files where that differs.

    ```mlir
    cnn.param @"c1.weight" : tensor<6x1x5x5xf32> init #cnn.init<he> from "0.weight"
    ```
  }];
}
def Cnn_StatisticOp : Cnn_StateOp<"statistic"> {
  let summary = "Declares a statistic: updated in training without a gradient (batch norm's running mean and variance)";
}
def Cnn_SlotOp : Cnn_StateOp<"slot"> { let summary = "Declares an optimizer's variable, such as a momentum"; }
def Cnn_CounterOp : Cnn_StateOp<"counter"> { let summary = "Declares an integer that counts, such as the step"; }

//===-- Constants and element-wise ----------------------------------------------------------------------------------------===//

def Cnn_ConstantOp : Cnn_Op<"constant", [Pure, ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "A constant of the source text";
  let description = [{
    Weights are never constants; they are state.
    ```mlir
    %0 = cnn.constant dense<[[0.0, 1.0], [1.0, 0.0]]> : tensor<2x2xf32>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Cnn_Tensor:$result);
  let assemblyFormat = "$value attr-dict";
  let hasFolder = 1;
}

class Cnn_UnaryOp<string mnemonic, list<Trait> traits = []> : Cnn_TensorOp<mnemonic, !listconcat([Cnn_Elementwise], traits)> {
  let arguments = (ins Cnn_Tensor:$input, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

def Cnn_ReluOp : Cnn_UnaryOp<"relu"> {
  let summary = "max(x, 0); NaN stays NaN";
  let description = "`%1 = cnn.relu %0 : tensor<?x8xf32> -> tensor<?x8xf32>`";
}
def Cnn_TanhOp : Cnn_UnaryOp<"tanh"> { let summary = "tanh(x)"; }
def Cnn_SigmoidOp : Cnn_UnaryOp<"sigmoid"> { let summary = "1 / (1 + exp(-x))"; }
def Cnn_ExpOp : Cnn_UnaryOp<"exp"> { let summary = "exp(x)"; }
def Cnn_LogOp : Cnn_UnaryOp<"log"> { let summary = "The natural logarithm of x"; }
def Cnn_SqrtOp : Cnn_UnaryOp<"sqrt"> { let summary = "The square root of x"; }
def Cnn_AbsOp : Cnn_UnaryOp<"abs"> { let summary = "|x|"; }
def Cnn_NegOp : Cnn_UnaryOp<"neg"> { let summary = "-x"; }
def Cnn_ClampOp : Cnn_TensorOp<"clamp", [Cnn_Elementwise]> {
  let summary = "min(max(x, min), max); NaN stays NaN";
  let description = [{
    `clamp_c1`: min <= max. relu6 is `clamp` with 0 and 6.
    `%1 = cnn.clamp %0 {min = 0.0 : f64, max = 6.0 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>`
  }];
  let arguments = (ins Cnn_Tensor:$input, F64Attr:$min, F64Attr:$max, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}
def Cnn_ConvertOp : Cnn_TensorOp<"convert", [Cnn_Elementwise]> {
  let summary = "The same values in another element type (round to nearest even, integers saturate)";
  let arguments = (ins Cnn_Tensor:$input, TypeAttr:$to, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
}

class Cnn_BinaryOp<string mnemonic, list<Trait> traits = []> : Cnn_TensorOp<mnemonic, !listconcat([Cnn_Elementwise], traits)> {
  let description = "`binary_c1`: both operands have the same shape and element type; `cnn.broadcast` makes it so.";
  let arguments = (ins Cnn_Tensor:$lhs, Cnn_Tensor:$rhs, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)";
  let hasVerifier = 1;
}
def Cnn_AddOp : Cnn_BinaryOp<"add", [Commutative]> { let summary = "x + y"; let hasFolder = 1; }
def Cnn_SubOp : Cnn_BinaryOp<"sub"> { let summary = "x - y"; let hasFolder = 1; }
def Cnn_MulOp : Cnn_BinaryOp<"mul", [Commutative]> { let summary = "x * y"; let hasFolder = 1; }
def Cnn_DivOp : Cnn_BinaryOp<"div"> { let summary = "x / y"; let hasFolder = 1; }
def Cnn_MaxOp : Cnn_BinaryOp<"max", [Commutative]> { let summary = "The larger of x and y; NaN if either is"; }
def Cnn_MinOp : Cnn_BinaryOp<"min", [Commutative]> { let summary = "The smaller of x and y; NaN if either is"; }

//===-- Shape ------------------------------------------------------------------------------------------------------------===//

def Cnn_BroadcastOp : Cnn_TensorOp<"broadcast"> {
  let summary = "Repeats a tensor along new or unit dimensions";
  let description = [{
    result[i0, .., in] = input[j0, .., jm] with jk = i[dims[k]], or 0 where the input's extent is 1. `shape` is the result's;
    -1 in place 0 stands for the batch.
    `broadcast_c1`: one entry of `dims` an input dimension, strictly increasing and below the result's rank.
    `broadcast_c2`: each input extent is 1 or the result's extent at dims[k].
    ```mlir
    %1 = cnn.broadcast %b {dims = array<i64: 1>, shape = array<i64: -1, 8, 4, 4>} : tensor<8xf32> -> tensor<?x8x4x4xf32>
    ```
  }];
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$dims, DenseI64ArrayAttr:$shape, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
def Cnn_ReshapeOp : Cnn_TensorOp<"reshape"> {
  let summary = "The same elements in row-major order under another shape";
  let description = [{
    -1 in place 0 stands for the batch. `reshape_c1`: the number of elements (of an image, where dimension 0 is the batch)
    stays. `flatten` is a reshape to [-1, C*H*W].
  }];
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$shape, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
def Cnn_TransposeOp : Cnn_TensorOp<"transpose"> {
  let summary = "result[i] = input with dimension permutation[k] in place k";
  let description = "`transpose_c1`: `permutation` is one; `transpose_c2`: the batch stays in place 0.";
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$permutation, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
def Cnn_ConcatOp : Cnn_TensorOp<"concat"> {
  let summary = "Joins tensors along an axis";
  let description = [{
    `concat_c1`: at least one operand, all of one rank and element type; `concat_c2`: equal extents but along `axis`;
    `concat_c3`: 0 <= axis < rank and the axis is not dynamic.
    `%2 = cnn.concat %0, %1 {axis = 1 : i64} : tensor<?x8x4x4xf32>, tensor<?x4x4x4xf32> -> tensor<?x12x4x4xf32>`
  }];
  let arguments = (ins Variadic<Cnn_Tensor>:$inputs, I64Attr:$axis, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs) `->` type($result)";
  let hasVerifier = 1;
}
def Cnn_SliceOp : Cnn_TensorOp<"slice"> {
  let summary = "result[i] = input[starts + i * steps], for `sizes` elements an axis";
  let description = [{
    Size -1 in place 0 is the whole batch. `slice_c1`: one entry an axis; `slice_c2`: steps >= 1 and
    0 <= start, start + (size - 1) * step < extent; `slice_c3`: a dynamic dimension is taken whole.
  }];
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$sizes, DenseI64ArrayAttr:$steps,
                       OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
def Cnn_PadOp : Cnn_TensorOp<"pad"> {
  let summary = "Surrounds a tensor with a constant or with its mirror image";
  let description = [{
    `low` and `high` elements before and after, an axis each. `constant`: `value`. `reflect`: the mirror without the edge
    repeated (x[-1] = x[1]), as NumPy's and PyTorch's `reflect`.
    `pad_c1`: one entry an axis, none negative; `pad_c2`: reflect needs low, high < extent; `pad_c3`: no padding of a
    dynamic dimension.
  }];
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
                       DefaultValuedAttr<Cnn_PadModeAttr, "::cnn::PadMode::Constant">:$mode,
                       DefaultValuedAttr<F64Attr, "0.0">:$value, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

//===-- Contractions ----------------------------------------------------------------------------------------------------===//

def Cnn_Conv2dOp : Cnn_TensorOp<"conv2d"> {
  let summary = "Convolution (cross-correlation) of an image batch";
  let description = [{
    y[n, o, y, x] = bias[o] + sum over c < C/groups, i < kh, j < kw of
    weight[o, c, i, j] * input[n, (o / (O/groups)) * C/groups + c, y*sh - top + i*dh, x*sw - left + j*dw], zero outside.
    Input [N, C, H, W], weight [O, C/groups, kh, kw], bias [O], result [N, O, OH, OW] with
    OH = (H + top + bottom - dh*(kh - 1) - 1) / sh + 1 (floor), OW likewise. `padding` is [top, bottom, left, right].

    `conv2d_c1`: input and weight of rank 4, bias of rank 1; `conv2d_c2`: groups divides C and O;
    `conv2d_c3`: the weight's dimension 1 is C/groups; `conv2d_c4`: strides and dilations >= 1, padding >= 0;
    `conv2d_c5`: the kernel fits the padded input; `conv2d_c6`: the bias has O elements.
    ```mlir
    %1 = cnn.conv2d %x, %w bias %b {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>}
       : tensor<?x3x8x8xf32>, tensor<16x3x3x3xf32>, tensor<16xf32> -> tensor<?x16x4x4xf32>
    ```
  }];
  let arguments = (ins Cnn_Tensor:$input, Cnn_Tensor:$weight, Optional<Cnn_Tensor>:$bias,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
                       DefaultValuedAttr<I64Attr, "1">:$groups,
                       DefaultValuedAttr<Cnn_PrecisionAttr, "::cnn::Precision::F32">:$precision,
                       OptionalAttr<StrAttr>:$path);
  let assemblyFormat = [{
    $input `,` $weight (`bias` $bias^)? attr-dict `:` type($input) `,` type($weight) (`,` type($bias)^)? `->` type($result)
  }];
  let hasVerifier = 1;
}
def Cnn_DenseOp : Cnn_TensorOp<"dense"> {
  let summary = "A fully connected layer: y[n, o] = bias[o] + sum over i of x[n, i] * weight[o, i]";
  let description = [{
    `dense_c1`: input [N, I], weight [O, I] of rank 2; `dense_c2`: equal I; `dense_c3`: the bias has O elements.
    `%1 = cnn.dense %x, %w bias %b : tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32> -> tensor<?x4xf32>`
  }];
  let arguments = (ins Cnn_Tensor:$input, Cnn_Tensor:$weight, Optional<Cnn_Tensor>:$bias,
                       DefaultValuedAttr<Cnn_PrecisionAttr, "::cnn::Precision::F32">:$precision, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = [{
    $input `,` $weight (`bias` $bias^)? attr-dict `:` type($input) `,` type($weight) (`,` type($bias)^)? `->` type($result)
  }];
  let hasVerifier = 1;
}
def Cnn_MatmulOp : Cnn_TensorOp<"matmul"> {
  let summary = "The product of two matrices, each transposed or not";
  let description = [{
    `matmul_c1`: both of rank 2; `matmul_c2`: the inner extents agree. A sum over the batch is allowed (gradients of weights).
  }];
  let arguments = (ins Cnn_Tensor:$lhs, Cnn_Tensor:$rhs, DefaultValuedAttr<BoolAttr, "false">:$transpose_lhs,
                       DefaultValuedAttr<BoolAttr, "false">:$transpose_rhs,
                       DefaultValuedAttr<Cnn_PrecisionAttr, "::cnn::Precision::F32">:$precision, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)";
  let hasVerifier = 1;
}

//===-- Normalization, pooling, reductions --------------------------------------------------------------------------------===//

def Cnn_BatchNormOp : Cnn_TensorOp<"batch_norm"> {
  let summary = "Batch normalization in inference (Ioffe and Szegedy 2015)";
  let description = [{
    y[n, c, ...] = (x[n, c, ...] - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + offset[c]
    `batch_norm_c1`: the input's rank is at least 2; `batch_norm_c2`: the four vectors have C elements.
  }];
  let arguments = (ins Cnn_Tensor:$input, Cnn_Tensor:$scale, Cnn_Tensor:$offset, Cnn_Tensor:$mean, Cnn_Tensor:$variance,
                       DefaultValuedAttr<F64Attr, "1.0e-5">:$epsilon, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = [{
    $input `,` $scale `,` $offset `,` $mean `,` $variance attr-dict `:` type($input) `,` type($scale) `,` type($offset) `,`
    type($mean) `,` type($variance) `->` type($result)
  }];
  let hasVerifier = 1;
}

class Cnn_PoolOp<string mnemonic> : Cnn_TensorOp<mnemonic> {
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, DefaultValuedAttr<BoolAttr, "false">:$ceil,
                       DefaultValuedAttr<BoolAttr, "false">:$count_pad, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}
def Cnn_MaxPoolOp : Cnn_PoolOp<"max_pool"> {
  let summary = "The largest value of each window; NaN if one is; positions outside the input do not take part";
  let description = [{
    `kernel` and `strides` are [h, w], `padding` [top, bottom, left, right]. OH = (H + top + bottom - kh) / sh + 1, rounded up
    with `ceil`, where a last window that would begin beyond the input and the padding before it is dropped (PyTorch's rule).
    `pool_c1`: rank 4; `pool_c2`: kernel, strides >= 1, 0 <= padding < kernel; `pool_c3`: the kernel fits the padded input.
    `%1 = cnn.max_pool %0 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : tensor<?x8x4x4xf32> -> tensor<?x8x2x2xf32>`
  }];
}
def Cnn_AvgPoolOp : Cnn_PoolOp<"avg_pool"> {
  let summary = "The mean of each window";
  let description = [{
    As `max_pool`; divided by the number of positions inside the input, or, with `count_pad`, inside the padded input.
  }];
}
def Cnn_ResizeOp : Cnn_TensorOp<"resize"> {
  let summary = "An image of another size, by the nearest pixels or between four of them";
  let description = [{
    Input [N, C, H, W], result [N, C, OH, OW] with [OH, OW] = `size`; along both axes alike, here for rows:
    `nearest`: result[y] = input[floor(y * H / OH)]. `bilinear`: with p = max((y + 1/2) * H / OH - 1/2, 0), or
    y * (H - 1) / (OH - 1) with `align_corners`, i = floor(p) and f = p - i,
    result[y] = (1 - f) * input[i] + f * input[min(i + 1, H - 1)]. PyTorch's `interpolate` without antialiasing.

    `resize_c1`: the input is of floats and of rank 4; `resize_c2`: the size is two positive numbers; all extents are below
    2^30; `resize_c3`: corners are aligned only between pixels.
    ```mlir
    %1 = cnn.resize %0 {size = array<i64: 8, 8>, mode = #cnn.resize_mode<bilinear>} : tensor<?x8x4x4xf32> -> tensor<?x8x8x8xf32>
    ```
  }];
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$size,
                       DefaultValuedAttr<Cnn_ResizeModeAttr, "::cnn::ResizeMode::Nearest">:$mode,
                       DefaultValuedAttr<BoolAttr, "false">:$align_corners, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
def Cnn_ReduceOp : Cnn_TensorOp<"reduce"> {
  let summary = "Sum, mean, largest or smallest over some axes";
  let description = [{
    The axes in `dims` are dropped. `reduce_c1`: `dims` strictly increasing and below the rank. Over the batch too (losses).
    `%1 = cnn.reduce %0 {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0>} : tensor<?x8xf32> -> tensor<8xf32>`
  }];
  let arguments = (ins Cnn_Tensor:$input, Cnn_ReduceKindAttr:$kind, DenseI64ArrayAttr:$dims, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}
def Cnn_SoftmaxOp : Cnn_TensorOp<"softmax"> {
  let summary = "exp(x - m) / sum of exp(x - m) along an axis, m the largest x";
  let description = "`softmax_c1`: 0 < axis < rank.";
  let arguments = (ins Cnn_Tensor:$input, DefaultValuedAttr<I64Attr, "1">:$axis, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

//===-- Random numbers ----------------------------------------------------------------------------------------------------===//

def Cnn_RandomUniformOp : Cnn_TensorOp<"random_uniform"> {
  let summary = "Uniform draws from [low, high) by Philox4x32-10 (Salmon et al. 2011)";
  let description = [{
    The key is `seed`, the counter is (hash of the path, step, logical index of the element): the words are written down in
    ir/reference/Philox.h. `seed` and `step` are scalars of i64. `shape` is the result's; -1 in place 0 stands for the batch,
    whose size `like` gives when present.
    `random_uniform_c1`: seed and step are tensor<i64>; `random_uniform_c2`: low < high; `random_uniform_c3`: has a path.
  }];
  let arguments = (ins Cnn_Tensor:$seed, Cnn_Tensor:$step, Optional<Cnn_Tensor>:$like, DenseI64ArrayAttr:$shape,
                       DefaultValuedAttr<F64Attr, "0.0">:$low, DefaultValuedAttr<F64Attr, "1.0">:$high,
                       OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$seed `,` $step (`like` $like^)? attr-dict `:` type($seed) `,` type($step) (`,` type($like)^)? `->` type($result)";
  let hasVerifier = 1;
}

//===-- What passes introduce ---------------------------------------------------------------------------------------------===//

def Cnn_RelayoutOp : Cnn_Op<"relayout", [Pure]> {
  let summary = "The same tensor stored in another layout";
  let description = [{
    `relayout_c1`: shape and element type are equal.
    `%1 = cnn.relayout %0 : tensor<?x3x8x8xf32> -> tensor<?x3x8x8xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>>`
  }];
  let arguments = (ins Cnn_Tensor:$input, OptionalAttr<StrAttr>:$path);
  let results = (outs Cnn_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
def Cnn_WinogradWeightsOp : Cnn_TensorOp<"winograd_weights"> {
  let summary = "The transformed kernels of Winograd F(m x m, 3 x 3): G w G' (Lavin and Gray 2016)";
  let description = [{
    Weight [O, I, 3, 3] to [m+2, m+2, O, I], with the points of ir/Winograd.h. `winograd_weights_c1`: a 3x3 kernel and m = 4.
  }];
  let arguments = (ins Cnn_Tensor:$weight, DefaultValuedAttr<I64Attr, "4">:$m, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$weight attr-dict `:` type($weight) `->` type($result)";
  let hasVerifier = 1;
}
def Cnn_WinogradConv2dOp : Cnn_TensorOp<"winograd_conv2d"> {
  let summary = "A 3x3 convolution of stride 1 from transformed kernels, by Winograd F(m x m, 3 x 3)";
  let description = [{
    For each tile of m x m outputs, y = A' [sum over c of (G w G')[.., o, c] * (B' x[c] B)] A + bias[o] (Lavin and Gray 2016,
    equation 12), with the points of ir/Winograd.h; outside the image x is zero. Input [N, C, H, W], weight [m+2, m+2, O, C] of
    `cnn.winograd_weights`, bias [O], `padding` [top, bottom, left, right], result [N, O, H + top + bottom - 2,
    W + left + right - 2]. What the schedule pass makes of a `conv2d` whose algorithm is `winograd`.
    `winograd_conv2d_c1`: input and weight of rank 4, the weight of m = 4; `winograd_conv2d_c2`: equal C;
    `winograd_conv2d_c3`: the bias has O elements.
  }];
  let arguments = (ins Cnn_Tensor:$input, Cnn_Tensor:$weight, Optional<Cnn_Tensor>:$bias,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
                       DefaultValuedAttr<Cnn_PrecisionAttr, "::cnn::Precision::F32">:$precision, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = [{
    $input `,` $weight (`bias` $bias^)? attr-dict `:` type($input) `,` type($weight) (`,` type($bias)^)? `->` type($result)
  }];
  let hasVerifier = 1;
}
def Cnn_ExpandGroupsOp : Cnn_TensorOp<"expand_groups"> {
  let summary = "The weight of a grouped convolution as that of an ungrouped one, zero across groups";
  let description = "[O, C/g, kh, kw] to [O, C, kh, kw]. `expand_groups_c1`: rank 4, groups >= 1 divides O.";
  let arguments = (ins Cnn_Tensor:$weight, I64Attr:$groups, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$weight attr-dict `:` type($weight) `->` type($result)";
  let hasVerifier = 1;
}

def Cnn_GroupOp : Cnn_Op<"group", [Pure, IsolatedFromAbove, SingleBlock, DeclareOpInterfaceMethods<RegionKindInterface>]> {
  let summary = "The unit of scheduling: operations computed together";
  let description = [{
    Element-wise prologues, one anchor at most, an epilogue; one or more results. The body sees the operands as block arguments
    and yields the results; it means what its operations mean. A group lowers to one or more kernels.

    `kind` names the anchor (`conv2d`, `depthwise`, `dense`, `max_pool`, `elementwise`, `copy`, ...); `schedules` holds one
    `ScheduleAttrInterface` an instruction set or architecture; `placements` says where each result lies and, last, the
    group's scratch when it has some; `notes` says why no more was fused. `elided`: the group's result already lies in place
    (a concatenation whose producers wrote their slices, a reshape) and nothing runs.
    `group_c1`: one block argument an operand, of its type; `group_c2`: the yield's types are the results'.
    ```mlir
    %1 = cnn.group "conv1" kind "conv2d" (%a = %x : tensor<?x3x8x8xf32>, %b = %w : tensor<16x3x3x3xf32>) -> tensor<?x16x6x6xf32> {
      %2 = cnn.conv2d %a, %b : tensor<?x3x8x8xf32>, tensor<16x3x3x3xf32> -> tensor<?x16x6x6xf32>
      %3 = cnn.relu %2 : tensor<?x16x6x6xf32> -> tensor<?x16x6x6xf32>
      cnn.yield %3 : tensor<?x16x6x6xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<Cnn_Tensor>:$inputs, StrAttr:$path, StrAttr:$kind, OptionalAttr<DictionaryAttr>:$schedules,
                       OptionalAttr<ArrayAttr>:$placements, OptionalAttr<StrArrayAttr>:$notes, UnitAttr:$elided);
  let results = (outs Variadic<Cnn_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::mlir::TypeRange":$results, "::mlir::ValueRange":$inputs, "::llvm::StringRef":$path,
                                 "::llvm::StringRef":$kind)>];
  let extraClassDeclaration = [{
    ::mlir::Block &getBlock() { return getBody().front(); }
    YieldOp getYield();
    /// The first operation of the body that is not element-wise, a constant or a broadcast, or null.
    ::mlir::Operation *getAnchor();
  }];
}
def Cnn_YieldOp : Cnn_Op<"yield", [Pure, Terminator, ReturnLike, ParentOneOf<["GroupOp"]>]> {
  let summary = "Ends a group's body with its results";
  let arguments = (ins Variadic<Cnn_Tensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

include "ir/CnnTrainingOps.td"

#endif
