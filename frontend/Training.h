// The elaboration of a train block: what one step of training computes, what an evaluation computes, how inputs are
// augmented, and everything that the tool decides by (settings, learning rates, metrics, initial weights).
//
// The modules have one form: `func.func @step` with inputs (`cnn.input`), then scalars given anew at each call
// (`cnn.hyper`), then state (`cnn.state`); its results are outputs (`cnn.output`), then state. The batch is dynamic.
// They are as elaborated: `step` holds `cnn.minimize`, which `--cnn-differentiate` expands and which adds the
// optimizers' slots and counters behind the variables declared here. Dropout, draws and batch norm's statistics are
// elaborated for training in `step` and for inference in `evaluate`; `stop_gradient`, `frozen` and updates have no
// meaning in `evaluate`.
#pragma once

#include "frontend/Frontend.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

#include "llvm/ADT/ArrayRef.h"

namespace cnn {

/// A number that the block may fix by a binding of this name and that the command line may replace: `epochs = 10`.
struct TrainingSetting {
  llvm::StringLiteral name;
  double initial;
  bool isInteger;
  /// Values lie in [low, high].
  double low, high;
  llvm::StringLiteral help;
};

/// In this order: epochs, batch, validation (the share of the training data that is held out), seed, patience (epochs
/// without progress after which training stops; 0: never).
llvm::ArrayRef<TrainingSetting> trainingSettings();

/// Which train block to elaborate, and how.
struct TrainingRequest {
  std::string path;
  /// The block's name; may be empty where the file has one train block.
  std::string train;
  /// Settings that replace those of the block, also within its expressions.
  std::vector<std::pair<std::string, double>> settings = {};
};

/// One input of the block, in the order of its signature.
struct TrainingInput {
  std::string name;
  /// The batch is dynamic in dimension 0. f32, u8 (`ui8`), or i64 for classes.
  mlir::RankedTensorType type;
  /// class(K): [N], or [N, H, W] for a mask; 0 where it is no class.
  int64_t classes = 0;
  /// The steps of Frontend.h: the block's own `preprocess` for this input, or else that of the network which takes the
  /// input (augmented or not) as one of its own. Null where there is none.
  mlir::ArrayAttr preprocess;
};

/// A learning rate: the scalar argument `hyper` of `step`.
struct TrainingRate {
  std::string hyper;
  double base = 0;
  /// As parseSchedule() of runtime/host/training/Schedules.h reads it: "constant()",
  /// "warmup(epochs = 5, then = cosine(epochs = 30))".
  std::string schedule;
  /// The minimization (below) whose parameters it moves.
  size_t minimization = 0;
};

/// One `minimize`.
struct TrainingMinimization {
  /// Which output of `step` and of `evaluate` is its loss.
  std::string lossOutput;
  /// The paths of its `cnn.minimize` operations, which prefix the optimizer's variables: "optimizer" where there is
  /// one.
  std::vector<std::string> paths;
  /// The state variables that it changes.
  std::vector<std::string> parameters;
};

/// A value of a report.
struct ReportOperand {
  /// An output of both modules, or else an input of the block.
  std::string name;
  bool isInput = false;
};

/// One figure of a `report`. `metric` is a name of makeMetrics() in runtime/host/training/Metrics.h (operands: scores
/// and labels, or values and targets), or "mean": the mean over samples of a scalar that is a mean over the batch.
struct TrainingReport {
  /// What people see: "accuracy", "top5", the name of the scalar; distinct, by a suffix ".2" where needed.
  std::string name;
  std::string metric;
  std::vector<ReportOperand> operands;
  /// Of the labels, 0 where there are none.
  int64_t classes = 0;
  /// As MetricOptions: "peak", "threshold"; and "positive", the class that counts as 1 while all others are 0.
  std::vector<std::pair<std::string, double>> settings;
};

/// A network that the block uses.
struct TrainingNetwork {
  std::string name;
  /// What its variables' names begin with in `step`: "" where the block uses one network, else "generator.".
  std::string prefix;
  /// Some of its parameters are changed by a `minimize`.
  bool isTrained = false;
  /// Its parameters and statistics, those of networks that it calls included.
  std::vector<std::string> state;
};

/// `init(net, from = "f.safetensors", except = "head")`
struct InitialWeights {
  std::string network;
  /// As written, and beside the source file where it is relative.
  std::string file, path;
  /// FILE:LINE:COLUMN of the call.
  std::string place;
  struct Tensor {
    std::string state;
    /// The tensor's name in the file: that of the network's `names`, or the path in the network. Files that hold
    /// several networks have "NETWORK." before it.
    std::string name;
  };
  std::vector<Tensor> tensors;
};

/// `ema(net, decay = 0.999)`: evaluation and what is saved take `average` for `state`.
struct MovingAverage {
  std::string network;
  double decay = 0;
  struct Variable {
    std::string state, average;
  };
  std::vector<Variable> variables;
};

/// The state of `step` and of `evaluate` is declared in one order; where `evaluate` lacks something (averages, and what
/// differentiation adds), that is declared last in `step`. A layout that follows the declarations is therefore the
/// same. `step`'s variables carry `source_name` where the networks' `names` map them.
struct TrainingProgram {
  std::string name;
  mlir::OwningOpRef<mlir::ModuleOp> step, evaluate;
  /// Null where the block augments nothing. Takes inputs of the block by name, "seed" and "step"; gives inputs of
  /// `step` by name. What `step` takes and this does not give is an input of the block as it is.
  mlir::OwningOpRef<mlir::ModuleOp> augment;

  /// Every setting of trainingSettings(), in that order.
  std::vector<std::pair<std::string, double>> settings;
  std::vector<TrainingInput> inputs;
  std::vector<TrainingMinimization> minimizations;
  std::vector<TrainingRate> rates;
  std::vector<TrainingReport> reports;
  std::vector<TrainingNetwork> networks;
  std::vector<InitialWeights> initial;
  std::vector<MovingAverage> averages;

  explicit operator bool() const { return static_cast<bool>(step); }
};

/// Elaborates the block; without `step` when `diagnostics` has errors.
TrainingProgram loadTraining(mlir::MLIRContext &context, const TrainingRequest &request, Diagnostics &diagnostics);

/// The same for a text in memory, as loadNetworkFromText().
TrainingProgram loadTrainingFromText(mlir::MLIRContext &context, std::string text, const TrainingRequest &request,
                                     Diagnostics &diagnostics);

/// What a file declares, for choosing between loadNetwork() and loadTraining().
struct Declarations {
  std::vector<std::string> networks, trains;
};
/// Of the file itself, without its imports; errors of parsing are left to the loading.
Declarations declarationsOf(const std::string &path);

} // namespace cnn
