// A training run: epochs of steps over a data set, with learning rates, validation, early stop, checkpoints and the
// search for the layer that made a NaN. The state after each step is a function of block, data, settings and seed
// alone: not of threads, workers, or where the run was interrupted and taken up again.
#pragma once

#include "runtime/host/training/EarlyStop.h"
#include "runtime/host/training/History.h"
#include "runtime/host/training/Progress.h"
#include "runtime/host/training/Schedules.h"
#include "tools/cnnc/training/Accumulation.h"
#include "tools/cnnc/training/Evaluator.h"
#include "tools/cnnc/training/LayerStatistics.h"
#include "tools/cnnc/training/LossScale.h"
#include "tools/cnnc/training/SavedState.h"
#include "tools/cnnc/training/TrainingSetup.h"

#include <atomic>

namespace cnn {

struct RunOptions {
  TrainingSettings settings;
  int threads = 1;
  unsigned workers = 1;
  /// Of checkpoints; empty: none.
  std::string checkpointFolder;
  int64_t every = 0; ///< Updates between checkpoints beside those of each epoch; 0: none.
  int64_t keep = 3;
  bool resume = false;
  /// Ends after so many updates; 0: never.
  int64_t maxSteps = 0;
  /// The figure that early stop, the best weights and the reduction on a plateau go by: of the validation where there
  /// is one, else of the training.
  std::string watch = "loss";
  double minimumDelta = 0;
  bool keepBest = false;
  std::string weights;     ///< A file to begin with.
  std::string historyPath; ///< PATH.jsonl and PATH.csv; empty: none.
  /// Figures of each layer after each epoch, as a table for people and to a CSV file; null: none.
  LayerStatistics *statistics = nullptr;
  /// Batches whose gradients make one update; above 1 with `accumulation`, whose update() is then the run's step.
  int64_t accumulate = 1;
  Accumulation *accumulation = nullptr;
  std::string statisticsPath;
  bool scalesLoss = false; ///< The step was compiled so.
  /// Rates that replace the block's, by name ("" for the only one).
  std::vector<std::pair<std::string, double>> rates;
  std::string toolVersion;
  /// What 8-bit values become, unit or raw; kept with the weights.
  std::string pixels = "unit";
};

enum class RunEnd { Done, Stopped, Interrupted, NotFinite };

class TrainingRun {
public:
  /// All that can be wrong is found here, before the first step. The arguments outlive the run; `evaluate` and
  /// `augment` may be null.
  static host::Result<std::unique_ptr<TrainingRun>> create(const TrainingProgram &program, const StepModule &step,
                                                           const StepModule *evaluate, const StepModule *augment,
                                                           const host::Splits &data, RunOptions options);

  /// Called after each epoch.
  using EpochObserver = llvm::function_ref<void(const host::HistoryRecord &)>;
  /// `stop` is looked at after each step; once it is true, a checkpoint is written and the run ends.
  host::Result<RunEnd> run(host::Progress &progress, const std::atomic<bool> &stop, EpochObserver observer);

  /// What happened, in a line, where the run did not end by itself.
  const std::string &message() const { return endMessage; }
  host::Result<void> writeWeights(const std::string &path) const;
  const std::vector<host::HistoryRecord> &records() const { return history; }
  int64_t step() const { return updates; }
  int64_t startedAt() const { return firstUpdate; }
  int64_t stepsPerEpoch() const { return epochSteps; }
  /// State, sessions, batches, data.
  struct Memory {
    uint64_t state = 0, sessions = 0, data = 0;
  };
  Memory memory() const;
  std::vector<std::string> notes; ///< For the user, before the run.
  /// Of the last epoch, where they were asked for.
  const std::vector<host::LayerStatistics> &statistics() const { return layerFigures; }

private:
  TrainingRun(const TrainingProgram &program, const StepModule &stepModule, const StepModule *augment,
              const host::Splits &data, RunOptions options)
      : program(program), stepModule(stepModule), augment(augment), data(data), options(std::move(options)) {}

  host::Result<void> prepareRates();
  host::Result<void> prepareWatch();
  host::Result<void> prepareState();
  host::Result<void> resume();
  host::Result<void> openLoader();
  host::Result<bool> runStep(const host::Batch &batch);
  host::Result<void> update(const host::Batch &batch);
  /// Whether the parameters are updated after the batch.
  bool isUpdate(const host::Batch &batch) const {
    return (batch.index + 1) % options.accumulate == 0 || batch.index + 1 == epochSteps;
  }
  StepCall &outputs() { return options.accumulation ? options.accumulation->call() : *call; }
  /// Brings the state to its block; an error where it is not finite, which steps on a device do not look for.
  host::Result<void> fetchState();
  /// The state as it was before the last step.
  host::Result<void> takeBack();
  host::Result<void> explainNotFinite(const host::Batch &batch, const std::string &what);
  host::Result<void> endEpoch(const host::Batch &batch, double seconds, double waited, host::Progress &progress,
                              EpochObserver observer);
  host::CheckpointInfo info() const;
  host::Result<void> saveCheckpoint();
  host::Result<void> saveStatistics(const host::Batch &batch);
  double watched(const host::HistoryRecord &record, std::string_view name) const;

  const TrainingProgram &program;
  const StepModule &stepModule;
  const StepModule *augment;
  const host::Splits &data;
  RunOptions options;

  struct Rate {
    std::string hyper;
    double base;
    host::Schedule schedule;
  };
  std::vector<Rate> rates;
  std::unique_ptr<Augmenter> augmenter;
  std::unique_ptr<host::Loader> loader;
  BatchBinding binding;
  std::optional<StateBlock> state, before, best;
  std::unique_ptr<StepSession> session;
  std::unique_ptr<StepCall> call;
  LossScale lossScale;
  std::optional<size_t> overflow; ///< The output that counts gradients that are not finite, where the loss is scaled.
  bool keepsState = false;        ///< `session` has the state, of which `state` is a copy that `fetched` says is good.
  bool fetched = true;
  std::optional<Reports> reports;
  std::unique_ptr<Evaluator> evaluator;
  std::optional<host::EarlyStop> earlyStop;
  std::optional<host::BestKeeper> bestKeeper;
  std::optional<host::CheckpointFolder> folder;
  std::optional<host::History> historyFile;
  std::vector<host::HistoryRecord> history;
  std::vector<host::LayerStatistics> layerFigures;
  std::string statisticsText;

  int64_t epochSteps = 1, updates = 0, firstUpdate = 0, savedAt = -1;
  bool shouldStop = false;
  std::string endMessage;
};

} // namespace cnn
