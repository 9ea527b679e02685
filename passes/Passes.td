// The passes in the order of the pipeline (passes/Pipeline.cpp). One pass, one file, one flag, one lit test of the same words.
#ifndef CNN_PASSES_TD
#define CNN_PASSES_TD

include "mlir/Pass/PassBase.td"

class Cnn_Pass<string flag> : Pass<flag, "::mlir::ModuleOp"> { let dependentDialects = ["::cnn::CnnDialect"]; }

def SelectOutputs : Cnn_Pass<"cnn-select-outputs"> {
  let summary = "Keeps the named outputs of @infer and what they depend on";
  let description = [{
    The outputs stay in the order of the signature. A name that is no output is an error that lists the outputs. Without names
    nothing changes.
  }];
  let options = [ListOption<"names", "names", "std::string", "The outputs to keep">];
}

def Simplify : Cnn_Pass<"cnn-simplify"> {
  let summary = "Brings the network into canonical form";
  let description = [{
    Folds, removes dead code, merges operations that compute the same whatever their paths, and rewrites

    - `reshape` of `reshape`, `transpose` of `transpose`, `slice` of `slice`, `broadcast` of `broadcast`, `neg` of `neg` to one
      or none; `concat` of one operand and nested `concat`s along one axis;
    - `pad` with zeros before `conv2d` into its padding, and before `avg_pool` where positions of the padding count;
    - `max` and `min` with a constant to `clamp` and `relu`, and chains of these to one;
    - multiplication and division by 1, subtraction of 0, also where the constant is broadcast;
    - pooling of 1x1 windows with stride 1 to nothing, the mean over rows and columns to `avg_pool`;
    - `add` of one value a channel after a `conv2d` or `dense` without bias to the bias;
    - `batch_size` of a value to that of an input, so that it keeps no value alive.

    All keep every value but for the sign of zero; none reassociates arithmetic. Adding +0 stays, as it turns -0 to +0.
  }];
}

def Differentiate : Cnn_Pass<"cnn-differentiate"> {
  let summary = "Turns minimizations into gradients and the optimizers' steps";
  let description = [{
    Each `cnn.minimize`, in order, becomes the gradients of its loss by its parameters (reverse mode, one rule an operation) and
    the optimizer's step, all ordinary operations. The optimizer's variables are declared (`cnn.slot`, and `cnn.counter` for the
    number of the step) and become arguments and results of the function with `cnn.state`, so that the function is the step
    (state, inputs) -> (state', losses). An operation on the way to the loss that has no gradient is an error.

    What gradients read of the forward pass is saved, but for what is computed in a region of `@recompute`, operations of one
    `cnn.recompute`: copies of these, marked `cnn.recomputed` and with `.again` after their paths, stand before the first gradient
    that needs them. Saved are the operands of a region, what others than its gradients read, what has no batch, and what is
    marked `cnn.keep`. Draws keep their paths, so that they draw the same. The mark keeps copies apart from the originals: they
    are not merged, and fusion takes no copy into a group of the forward pass.
  }];
}

def FactorSums : Cnn_Pass<"cnn-factor-sums"> {
  let summary = "Takes sums over a batch apart where that saves a pass over memory";
  let description = [{
    The argument of a `reduce` of kind sum over the batch (and more) is a sum of terms, each a tensor times values that are
    constant along what is summed: these values go after the sum, and x - mean(x) over the same dimensions sums to 0. The sum is
    rewritten where one term is left at most, and a term vanished or its tensor is summed anyway. So the gradient of a batch
    normalization takes two sums over the batch instead of three. A copy of x that `@recompute` made is x.
  }];
}

def TransposeToConv : Cnn_Pass<"cnn-transpose-to-conv"> {
  let summary = "Writes transposed convolutions of stride 1 as convolutions of flipped kernels";
  let description = [{
    A `conv2d_transpose` of stride 1 becomes a `conv2d` of `flip_kernels` whose padding is dilation * (kernel - 1) less its own,
    unless that is negative. So the gradient of a convolution by its input has the algorithms of a convolution. Those with
    strides keep kernels of their own.
  }];
}

def FoldBatchNorm : Cnn_Pass<"cnn-fold-batch-norm"> {
  let summary = "Folds batch normalization into the convolution or dense layer before it";
  let description = [{
    With s = scale / sqrt(variance + epsilon) and t = offset - mean * s, a `batch_norm` that is the only user of a `conv2d` or
    `dense` becomes the layer with weight w * s (by output channel) and bias b * s + t; any other becomes x * s + t. What s and t
    are computed from are ordinary operations on state, which hoist moves to @prepare, where they are evaluated in double.
    A layer whose weight is not computed from state and constants alone is not scaled.
  }];
}

def Hoist : Cnn_Pass<"cnn-hoist"> {
  let summary = "Splits @infer into @prepare, which depends on state alone, and @run";
  let description = [{
    What depends on state and constants alone is computed by @prepare, whose results are the arguments `cnn.packed` of @run;
    @run takes no state. Equal values are packed once, in the order of their first use. State that nothing reads is dropped, its
    declaration too. Broadcasts and constants of one value stay in @run, which reads less that way; random draws stay.
    A training step has no @prepare: @step becomes @run, whose arguments are inputs, hyperparameters and state.
  }];
}

def Fuse : Cnn_Pass<"cnn-fuse"> {
  let summary = "Makes groups of the operations of @run";
  let description = [{
    A group is made around each operation that is not element-wise, its anchor, and then takes element-wise operations that
    read its results, as long as their other operands are known before it and the target says that it pays. A group moves
    down to its last operand where nothing in between reads it. What a later group reads, too, becomes a further result.
    Element-wise operations that no anchor takes form groups by the same rule; those of one shape are joined where one reads the
    other's result or both read one tensor. Constants and broadcasts are copied into the
    groups that read them. Each refusal is a note of the group.

    In a training step cheap chains of element-wise operations are computed in the groups that read them, rather than stored,
    and what the forward pass computes by such a chain from one tensor that is kept for the backward pass anyway is not kept
    beside it, but computed again by a group `PATH.again`. What a gradient makes of the forward pass alone joins no group of
    that.
  }];
  let options = [Option<"target", "target", "std::string", "\"cpu\"", "The target that is asked what pays">];
}

def LayOut : Cnn_Pass<"cnn-lay-out"> {
  let summary = "Gives the tensors between groups their layouts";
  let description = [{
    Each group reads and writes the layouts that the target names; a group of kind `copy` stands where a tensor is read in
    another layout than it is written, one for all readers. Inputs and outputs of the network are row-major. An output that is an
    input, a packed value, or an output for the second time is copied, so that each output is the result of a group. So is
    the new value of a state variable; at the end of a step, where its old value is still read after the new one is known.
  }];
  let options = [Option<"target", "target", "std::string", "\"cpu\"", "The target that is asked for layouts">];
}

def Schedule : Cnn_Pass<"cnn-schedule"> {
  let summary = "Decides how weights are packed and how each group is computed on each instruction set";
  let description = [{
    Appends to @prepare what packs each weight for the group that reads it: `expand_groups`, `winograd_weights`, `relayout`.
    In a training step groups that pack stand before the first one that reads the weight. A weight that two groups read in one
    packing is packed once. In a group's body a `conv2d` becomes a `winograd_conv2d`, or one
    with groups = 1, accordingly. Then each group gets a dictionary of schedules, one an instruction set; that they have one
    algorithm, and that each fits its group, is verified.
  }];
  let options = [
    Option<"target", "target", "std::string", "\"cpu\"", "The target that schedules">,
    ListOption<"isas", "isa", "std::string", "Instruction sets or architectures; all of the target's when empty">,
    Option<"exact", "exact", "bool", "false", "Only algorithms that add the products as the formula does">];
}

def OrderGroups : Cnn_Pass<"cnn-order-groups"> {
  let summary = "Lets groups that compute image by image follow one another";
  let description = [{
    A group whose results are one for all images (packed weights, say) moves up over all groups that go by images and stand right
    before it, unless it reads a result of theirs. A group that goes by images and is no product of matrices or convolution moves
    up over those that don't, likewise. Groups whose results are returned stay.
  }];
}

def PlanMemory : Cnn_Pass<"cnn-plan-memory"> {
  let summary = "Places the results of groups in memory";
  let description = [{
    By image, with sizes rounded to 64 bytes: buffers whose lives don't overlap share places (the largest first, each into the
    smallest gap that holds it). Element-wise groups, and others where the target allows it, write over an operand that dies; the
    operands of a concatenation along channels are written into it where they are whole blocks; reshapes, and relayouts that move no byte, are views; what @run
    returns is written to the output directly, and new values of state variables over the old ones. A note says why a concatenation is not in place. The sums are attributes of
    @run: `cnn.workspace_bytes` (for one image) and `cnn.fixed_bytes`.
  }];
  let options = [Option<"keepBuffers", "keep-buffers", "bool", "false",
                        "Give every result memory of its own, for comparing values group by group">];
}

def VerifyStage : Cnn_Pass<"cnn-verify-stage"> {
  let summary = "Verifies what must hold after a stage of the pipeline";
  let description = [{
    | stage | what holds |
    | --- | --- |
    | elaborate | One function, @infer, of `cnn` operations on tensors without layout, each with a path (constants excepted); arguments are inputs or state, results are outputs. Or @step: arguments are inputs, hyperparameters or state, results are outputs or new values of state that is an argument, each variable once. |
    | simplify | The same. |
    | differentiate | The same; there is no `minimize` and no `stop_gradient`. |
    | hoist | @prepare takes state alone and gives `cnn.packed` values 0, 1, ..; @run takes these and the inputs and no state; there is no `batch_norm` in @run. Of a step: @run, with what held of @step. |
    | fuse | @run consists of groups and a return. |
    | layout | The same; inputs and outputs are row-major, each output is the result of a group, and each output is another one. |
    | schedule | The packed values of @prepare have the types that @run takes; every group has a schedule for the same instruction sets, of one algorithm. |
    | plan | Every result has a place. In a run of three images that is simulated by the placements alone, no group reads a byte that another value has overwritten, and each output holds its value in the end. |
  }];
  let options = [Option<"stage", "stage", "std::string", "\"elaborate\"", "The stage after which the module is">];
}

#endif
