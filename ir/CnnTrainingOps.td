// What training adds to the dialect: the transposes and derivatives that gradients are made of, draws, and `minimize`, which the
// differentiation pass replaces by them. Included by CnnOps.td.
#ifndef CNN_TRAINING_OPS_TD
#define CNN_TRAINING_OPS_TD

//===-- Element-wise ------------------------------------------------------------------------------------------------------===//

def Cnn_StepOp : Cnn_UnaryOp<"step"> {
  let summary = "1 where x > 0, else 0";
  let description = [{
    The derivative of `relu`, with 0 at 0 and for NaN; its own is 0 everywhere.
    `%1 = cnn.step %0 : tensor<?x8xf32> -> tensor<?x8xf32>`
  }];
}
def Cnn_SoftplusOp : Cnn_UnaryOp<"softplus"> {
  let summary = "log(1 + exp(x)), computed as max(x, 0) + log(1 + exp(-|x|))";
  let description = "Its derivative is `sigmoid`. `%1 = cnn.softplus %0 : tensor<?x8xf32> -> tensor<?x8xf32>`";
}
def Cnn_EluOp : Cnn_TensorOp<"elu", [Cnn_Elementwise]> {
  let summary = "x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2015)";
  let description = [{
    The derivative at 0 is alpha, that from below. `%1 = cnn.elu %0 {alpha = 1.0 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>`
  }];
  let arguments = (ins Cnn_Tensor:$input, DefaultValuedAttr<F64Attr, "1.0">:$alpha, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}
def Cnn_StopGradientOp : Cnn_UnaryOp<"stop_gradient"> {
  let summary = "x, taken as a constant by differentiation";
  let description = "`%1 = cnn.stop_gradient %0 : tensor<?x8xf32> -> tensor<?x8xf32>`";
}

//===-- Shape ------------------------------------------------------------------------------------------------------------===//

def Cnn_BatchSizeOp : Cnn_TensorOp<"batch_size"> {
  let summary = "The extent of dimension 0 as a number";
  let description = [{
    What a mean over the batch divides by. `batch_size_c1`: the input's rank is at least 1, its elements are floats.
    `%n = cnn.batch_size %x : tensor<?x8xf32> -> tensor<f32>`
  }];
  let arguments = (ins Cnn_Tensor:$input, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}
def Cnn_UnsliceOp : Cnn_TensorOp<"unslice"> {
  let summary = "result[starts + i * steps] = input[i], zero elsewhere";
  let description = [{
    The transpose of `slice`; with steps of 2 it is the upsampling called bed of nails. `shape` is the result's; -1 in place 0
    stands for the batch. `unslice_c1`: one entry an axis; `unslice_c2`: steps >= 1, and the places lie in the result;
    `unslice_c3`: a dynamic dimension is taken whole.
    ```mlir
    %1 = cnn.unslice %0 {starts = array<i64: 0, 0, 0, 0>, steps = array<i64: 1, 1, 2, 2>, shape = array<i64: -1, 8, 4, 4>}
       : tensor<?x8x2x2xf32> -> tensor<?x8x4x4xf32>
    ```
  }];
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$steps, DenseI64ArrayAttr:$shape,
                       OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}
def Cnn_PadGradOp : Cnn_TensorOp<"pad_grad"> {
  let summary = "Adds a mirrored border to where it was taken from: the transpose of `pad` by reflection";
  let description = [{
    result[i] = sum of the inputs at the places j where `pad` in mode `reflect` with `low` and `high` reads element i. The
    transpose of a constant border is a `slice`.
    `pad_grad_c1`: one entry an axis, none negative; `pad_grad_c2`: low, high < extent of the result; `pad_grad_c3`: no padding
    of a dynamic dimension.
    `%1 = cnn.pad_grad %0 {low = array<i64: 0, 1>, high = array<i64: 0, 1>} : tensor<?x6xf32> -> tensor<?x4xf32>`
  }];
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

//===-- Contractions ----------------------------------------------------------------------------------------------------===//

def Cnn_Conv2dTransposeOp : Cnn_TensorOp<"conv2d_transpose"> {
  let summary = "The transpose of `conv2d` by its input: transposed convolution";
  let description = [{
    With conv(x, w)[n, o] = sum over c, i, j of w[o, c, i, j] * x[n, c, y*sh - top + i*dh, x*sw - left + j*dw] as `conv2d` has
    it, result[n, c, p, q] = bias[c] + sum over o, i, j, y, x of weight[o, c, i, j] * input[n, o, y, x] where
    p = y*sh - top + i*dh and q = x*sw - left + j*dw.
    Input [N, O, OH, OW], weight [O, C/groups, kh, kw] (PyTorch's [in, out/groups, kh, kw]), bias [C], result [N, C, H, W] with
    [H, W] = `size`.

    `conv2d_transpose_c1`: input and weight of rank 4, bias of rank 1; `conv2d_transpose_c2`: groups divides O, and the weight
    has O kernels; `conv2d_transpose_c3`: strides and dilations >= 1, padding >= 0; `conv2d_transpose_c4`: a `conv2d` of an
    image of `size` has the input's extents; `conv2d_transpose_c5`: the bias has C elements.
    ```mlir
    %1 = cnn.conv2d_transpose %x, %w {strides = array<i64: 2, 2>, size = array<i64: 8, 8>}
       : tensor<?x16x4x4xf32>, tensor<16x3x2x2xf32> -> tensor<?x3x8x8xf32>
    ```
  }];
  let arguments = (ins Cnn_Tensor:$input, Cnn_Tensor:$weight, Optional<Cnn_Tensor>:$bias, DenseI64ArrayAttr:$size,
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
def Cnn_FlipKernelsOp : Cnn_TensorOp<"flip_kernels"> {
  let summary = "The kernels of a convolution mirrored, with the roles of inputs and outputs exchanged";
  let description = [{
    Weight [O, C/groups, kh, kw] to [C, O/groups, kh, kw]: with o and c counted in a group g,
    result[g*C/groups + c, o, i, j] = weight[g*O/groups + o, c, kh-1-i, kw-1-j].
    A `conv2d_transpose` of stride 1 is the `conv2d` of these kernels whose padding is dilation*(kernel - 1) less the
    transposed one's. It is its own inverse and its own transpose.

    `flip_kernels_c1`: rank 4, all extents known, groups >= 1 divides O.
    `%1 = cnn.flip_kernels %w : tensor<16x8x3x3xf32> -> tensor<8x16x3x3xf32>`
  }];
  let arguments = (ins Cnn_Tensor:$weight, DefaultValuedAttr<I64Attr, "1">:$groups, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$weight attr-dict `:` type($weight) `->` type($result)";
  let hasVerifier = 1;
}
def Cnn_Conv2dWeightGradOp : Cnn_TensorOp<"conv2d_weight_grad"> {
  let summary = "The gradient of `conv2d` by its weight";
  let description = [{
    result[o, c, i, j] = sum over n, y, x of gradient[n, o, y, x] *
    input[n, (o / (O/groups)) * C/groups + c, y*sh - top + i*dh, x*sw - left + j*dw], zero outside.
    Input [N, C, H, W], gradient [N, O, OH, OW], result [O, C/groups, kh, kw] with [kh, kw] = `kernel`.

    `conv2d_weight_grad_c1`: both of rank 4 and of one batch; `conv2d_weight_grad_c2`: groups divides C and O;
    `conv2d_weight_grad_c3`: kernel, strides and dilations >= 1, padding >= 0; `conv2d_weight_grad_c4`: a `conv2d` of the input
    with such a kernel has the gradient's extents.
    ```mlir
    %1 = cnn.conv2d_weight_grad %x, %g {kernel = array<i64: 3, 3>}
       : tensor<?x3x8x8xf32>, tensor<?x16x6x6xf32> -> tensor<16x3x3x3xf32>
    ```
  }];
  let arguments = (ins Cnn_Tensor:$input, Cnn_Tensor:$gradient, DenseI64ArrayAttr:$kernel,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
                       DefaultValuedAttr<I64Attr, "1">:$groups,
                       DefaultValuedAttr<Cnn_PrecisionAttr, "::cnn::Precision::F32">:$precision,
                       OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input `,` $gradient attr-dict `:` type($input) `,` type($gradient) `->` type($result)";
  let hasVerifier = 1;
}

//===-- Pooling ----------------------------------------------------------------------------------------------------------===//

class Cnn_PoolPositionsOp<string mnemonic> : Cnn_TensorOp<mnemonic> {
  let arguments = (ins Cnn_Tensor:$input, Cnn_Tensor:$values, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, DefaultValuedAttr<BoolAttr, "false">:$ceil,
                       OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input `,` $values attr-dict `:` type($input) `,` type($values) `->` type($result)";
  let hasVerifier = 1;
}
def Cnn_MaxPoolGradOp : Cnn_PoolPositionsOp<"max_pool_grad"> {
  let summary = "Adds each window's value to where `max_pool` of the input finds the largest; zero elsewhere";
  let description = [{
    Of equal elements the first in row-major order is the largest, as is the first NaN. The gradient of `max_pool`, and
    max-unpooling. Input [N, C, H, W], values [N, C, OH, OW], result like the input; the attributes are `max_pool`'s.
    `pool_c1` to `pool_c3` as there; `max_pool_grad_c1`: the values have the shape of the pooled input.
    ```mlir
    %1 = cnn.max_pool_grad %x, %g {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>}
       : tensor<?x8x4x4xf32>, tensor<?x8x2x2xf32> -> tensor<?x8x4x4xf32>
    ```
  }];
}
def Cnn_MaxPoolPickOp : Cnn_PoolPositionsOp<"max_pool_pick"> {
  let summary = "For each window the value that lies where `max_pool` of the input finds the largest";
  let description = [{
    The transpose of `max_pool_grad` by its values. Input and values [N, C, H, W], result [N, C, OH, OW]; the attributes are
    `max_pool`'s. `pool_c1` to `pool_c3` as there; `max_pool_pick_c1`: the values have the shape of the input.
  }];
}
def Cnn_AvgPoolGradOp : Cnn_TensorOp<"avg_pool_grad"> {
  let summary = "Spreads each value evenly over the positions that `avg_pool` takes it from: its transpose";
  let description = [{
    Input [N, C, OH, OW], result [N, C, H, W] with [H, W] = `size`; the other attributes are `avg_pool`'s, and `pool_c1` to
    `pool_c3` hold for the result. `avg_pool_grad_c1`: the pooled result has the input's extents.
    ```mlir
    %1 = cnn.avg_pool_grad %g {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, size = array<i64: 4, 4>}
       : tensor<?x8x2x2xf32> -> tensor<?x8x4x4xf32>
    ```
  }];
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$size, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding, DefaultValuedAttr<BoolAttr, "false">:$ceil,
                       DefaultValuedAttr<BoolAttr, "false">:$count_pad, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

//===-- Resampling -------------------------------------------------------------------------------------------------------===//

def Cnn_WarpOp : Cnn_TensorOp<"warp"> {
  let summary = "Images resampled along an affine map, and a displacement: what geometric augmentation is made of";
  let description = [{
    result[n, c, y, x] = image[n, c] at the place (v, u) with
    v = matrix[n, 0, 0] * y + matrix[n, 0, 1] * x + matrix[n, 0, 2] + displacement[n, 0, y, x] and
    u = matrix[n, 1, 0] * y + matrix[n, 1, 1] * x + matrix[n, 1, 2] + displacement[n, 1, y, x], in pixels from the first one.

    `bilinear` mixes the four pixels around the place: at integers, the pixel itself. `nearest` takes the pixel at
    (floor(v + 0.5), floor(u + 0.5)). The border says what lies outside: `zero`, `clamp` (the nearest place inside), or `reflect`
    (the mirror without the edge repeated). A place that is NaN counts as one before the first pixel. [h, w] of the result is
    `size`. It has no gradient: augmentation comes before the step.

    `warp_c1`: image [N, C, H, W], matrix [N, 2, 3], displacement [N, 2, h, w], of one type of floats; `warp_c2`: `size` is
    [h, w], both at least 1; `warp_c3`: H and W are known, at least 1 and below 2^24.
    ```mlir
    %1 = cnn.warp %x, %m {size = array<i64: 8, 8>} : tensor<?x3x8x8xf32>, tensor<?x2x3xf32> -> tensor<?x3x8x8xf32>
    %2 = cnn.warp %x, %m by %d {size = array<i64: 8, 8>, border = #cnn.warp_border<reflect>}
       : tensor<?x3x8x8xf32>, tensor<?x2x3xf32>, tensor<?x2x8x8xf32> -> tensor<?x3x8x8xf32>
    ```
  }];
  let arguments = (ins Cnn_Tensor:$image, Cnn_Tensor:$matrix, Optional<Cnn_Tensor>:$displacement, DenseI64ArrayAttr:$size,
                       DefaultValuedAttr<Cnn_WarpFilterAttr, "::cnn::WarpFilter::Bilinear">:$filter,
                       DefaultValuedAttr<Cnn_WarpBorderAttr, "::cnn::WarpBorder::Zero">:$border, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = [{
    $image `,` $matrix (`by` $displacement^)? attr-dict `:` type($image) `,` type($matrix) (`,` type($displacement)^)? `->`
    type($result)
  }];
  let hasVerifier = 1;
}

//===-- Resizing ----------------------------------------------------------------------------------------------------------===//

def Cnn_ResizeGradOp : Cnn_TensorOp<"resize_grad"> {
  let summary = "Gives each value to the pixels that `resize` makes it of, by their weights: its transpose";
  let description = [{
    Input [N, C, OH, OW], result [N, C, H, W] with [H, W] = `size`; the other attributes are `resize`'s. The values that a pixel
    takes are added in row-major order, those of a row by themselves.
    `resize_c1` to `resize_c3` as there.
    ```mlir
    %1 = cnn.resize_grad %g {size = array<i64: 4, 4>} : tensor<?x8x8x8xf32> -> tensor<?x8x4x4xf32>
    ```
  }];
  let arguments = (ins Cnn_Tensor:$input, DenseI64ArrayAttr:$size,
                       DefaultValuedAttr<Cnn_ResizeModeAttr, "::cnn::ResizeMode::Nearest">:$mode,
                       DefaultValuedAttr<BoolAttr, "false">:$align_corners, OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

//===-- Random numbers ----------------------------------------------------------------------------------------------------===//

def Cnn_RandomNormalOp : Cnn_TensorOp<"random_normal"> {
  let summary = "Draws from the normal distribution by Philox4x32-10 and the quantile function";
  let description = [{
    mean + deviation * q(word), q the normal quantile of ir/reference/Philox.h; all else as `random_uniform`.
    `random_normal_c1`: seed and step are tensor<i64>; `random_normal_c2`: deviation >= 0; `random_normal_c3`: has a path.
  }];
  let arguments = (ins Cnn_Tensor:$seed, Cnn_Tensor:$step, Optional<Cnn_Tensor>:$like, DenseI64ArrayAttr:$shape,
                       DefaultValuedAttr<F64Attr, "0.0">:$mean, DefaultValuedAttr<F64Attr, "1.0">:$deviation,
                       OptionalAttr<StrAttr>:$path);
  let assemblyFormat = "$seed `,` $step (`like` $like^)? attr-dict `:` type($seed) `,` type($step) (`,` type($like)^)? `->` type($result)";
  let hasVerifier = 1;
}

//===-- Optimization ------------------------------------------------------------------------------------------------------===//

def Cnn_OptimizerKind : I32EnumAttr<"OptimizerKind", "How a gradient changes a parameter", [
  I32EnumAttrCase<"Sgd", 0, "sgd">, I32EnumAttrCase<"Momentum", 1, "momentum">, I32EnumAttrCase<"Nesterov", 2, "nesterov">,
  I32EnumAttrCase<"Adagrad", 3, "adagrad">, I32EnumAttrCase<"Adadelta", 4, "adadelta">,
  I32EnumAttrCase<"RmsProp", 5, "rmsprop">, I32EnumAttrCase<"Adam", 6, "adam">, I32EnumAttrCase<"AdamW", 7, "adamw">,
  I32EnumAttrCase<"Nadam", 8, "nadam">]> {
  let cppNamespace = "::cnn";
  let genSpecializedAttr = 0;
}
def Cnn_OptimizerAttr : Cnn_Attr<"Optimizer", "optimizer"> {
  let summary = "An optimizer and the settings that differ from its defaults";
  let description = [{
    The settings and their defaults are those of `optimizerSettings` (ir/Optimizer.h).
    Example: `#cnn.optimizer<adam, {beta1 = 0.5}>`.
  }];
  let parameters = (ins EnumParameter<Cnn_OptimizerKind>:$kind, OptionalParameter<"::mlir::DictionaryAttr">:$settings);
  let assemblyFormat = "`<` $kind (`,` $settings^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The setting as given, or its default. The optimizer must have a setting of that name.
    double setting(::llvm::StringRef name) const;
  }];
}
def Cnn_MinimizeOp : Cnn_Op<"minimize", [Pure]> {
  let summary = "The parameters after one step that lowers the loss";
  let description = [{
    The results are the parameters as the optimizer leaves them, given the gradients of the loss by each of them and the
    learning rate. Gradients are limited to [-clip_value, clip_value], then scaled so that the norm of all of them together is
    at most `clip_norm`, where these are given. For differentiation the results are constants: a later loss that is computed
    from them has no gradient through the update.

    `cnn-differentiate` replaces it by what computes it and declares the optimizer's state, `cnn.slot @"<path>.<parameter>.<slot>"`
    and `cnn.counter @"<path>.step"`, as arguments and results of the function. A parameter is an argument with `cnn.state`,
    or the result of another `minimize` that updated one.

    `minimize_c1`: the loss is a scalar of floats; `minimize_c2`: the rate is one of the same type; `minimize_c3`: there are
    parameters, and the results have their types; `minimize_c4`: the limits are positive; `minimize_c5`: has a path.
    ```mlir
    %w1, %b1 = cnn.minimize %loss over %w, %b rate %rate using #cnn.optimizer<momentum> {path = "optimizer"}
             : tensor<f32>, tensor<f32>, tensor<4x2xf32>, tensor<4xf32> -> tensor<4x2xf32>, tensor<4xf32>
    ```
  }];
  let arguments = (ins Cnn_Tensor:$loss, Variadic<Cnn_Tensor>:$parameters, Cnn_Tensor:$rate, Cnn_OptimizerAttr:$optimizer,
                       OptionalAttr<F64Attr>:$clip_value, OptionalAttr<F64Attr>:$clip_norm, OptionalAttr<StrAttr>:$path);
  let results = (outs Variadic<Cnn_Tensor>:$updated);
  let assemblyFormat = [{
    $loss `over` $parameters `rate` $rate `using` $optimizer attr-dict `:` type($loss) `,` type($rate) `,` type($parameters) `->`
    type($updated)
  }];
  let hasVerifier = 1;
}

#endif
