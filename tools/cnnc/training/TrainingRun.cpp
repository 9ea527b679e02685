// The loop of training; TrainingRun.h has the contract.
#include "tools/cnnc/training/TrainingRun.h"

#include "frontend/Diagnostics.h"
#include "passes/Gradients.h"

#include <chrono>
#include <cmath>
#include <limits>

using namespace mlir;

namespace cnn {

using Clock = std::chrono::steady_clock;
using host::Batch;
using host::HistoryRecord;
using host::makeError;
using host::NamedValue;
using host::Result;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Result<std::unique_ptr<TrainingRun>> TrainingRun::create(const TrainingProgram &program, const StepModule &step,
                                                         const StepModule *evaluate, const StepModule *augment,
                                                         const host::Splits &data, RunOptions options) {
  std::unique_ptr<TrainingRun> run(new TrainingRun(program, step, augment, data, std::move(options)));
  const RunOptions &chosen = run->options;
  int64_t batch = chosen.settings.batch;
  ArrayRef<std::string> classNames = data.train.classNames();
  const StepModule &shown = chosen.accumulation ? chosen.accumulation->gradients() : step;
  auto binding = BatchBinding::create(shown, program.inputs, augment);
  if (!binding)
    return binding.error();
  run->binding = std::move(*binding);
  auto reports = Reports::create(program, shown, run->binding, classNames);
  if (!reports)
    return reports.error();
  run->reports = std::move(*reports);
  if (evaluate && data.validation) {
    EvaluatorOptions evaluation{batch, chosen.threads, chosen.workers, 0, chosen.settings.seed};
    auto evaluator = Evaluator::create(program, *evaluate, nullptr, evaluation, classNames);
    if (!evaluator)
      return evaluator.error();
    run->evaluator = std::move(*evaluator);
  }
  if (augment) {
    auto augmenter = Augmenter::create(*augment, program.inputs, batch, chosen.workers, chosen.settings.seed);
    if (!augmenter)
      return augmenter.error();
    run->augmenter = std::move(*augmenter);
  }
  run->epochSteps = (data.train.size() + batch - 1) / batch;
  for (auto part :
       {&TrainingRun::prepareRates, &TrainingRun::prepareWatch, &TrainingRun::prepareState, &TrainingRun::openLoader})
    if (auto done = (run.get()->*part)(); !done)
      return done.error();
  return run;
}

Result<void> TrainingRun::prepareRates() {
  for (const TrainingRate &described : program.rates) {
    auto schedule = host::parseSchedule(described.schedule);
    if (!schedule)
      return makeError("the schedule of '{}': {}", described.hyper, schedule.error().message);
    rates.push_back({described.hyper, described.base, std::move(*schedule)});
  }
  SmallVector<StringRef> known;
  for (const Rate &rate : rates)
    known.push_back(rate.hyper);
  for (const auto &[name, value] : options.rates) {
    if (name.empty() && rates.size() != 1)
      return makeError("the block has {} learning rates: say which, as in --learning-rate {}={}", rates.size(),
                       rates.empty() ? "NAME" : rates.front().hyper, value);
    bool found = false;
    for (Rate &rate : rates)
      if (name.empty() || rate.hyper == name) {
        rate.base = value;
        found = true;
      }
    if (!found)
      return makeError("the block has no learning rate '{}'{}; it has {}", name, didYouMean(name, known),
                       listOfNames(known, "and"));
  }
  return {};
}

Result<void> TrainingRun::prepareWatch() {
  std::vector<std::string> figures = reports->names();
  figures.insert(figures.begin(), "loss");
  auto check = [&](const std::string &name) -> Result<void> {
    if (llvm::is_contained(figures, name))
      return {};
    SmallVector<StringRef> known(figures.begin(), figures.end());
    return makeError("the block reports no '{}'{}; it reports {}", name, didYouMean(name, known),
                     listOfNames(known, "and"));
  };
  if (auto known = check(options.watch); !known)
    return known.error();
  for (const Rate &rate : rates)
    if (!rate.schedule.watched().empty())
      if (auto known = check(std::string(rate.schedule.watched())); !known)
        return known.error();
  host::Better better = host::higherIsBetter(options.watch) ? host::Better::Higher : host::Better::Lower;
  if (options.settings.patience > 0)
    earlyStop.emplace(better, options.settings.patience, options.minimumDelta);
  bestKeeper.emplace(better, options.minimumDelta);
  return {};
}

Result<void> TrainingRun::prepareState() {
  for (std::optional<StateBlock> *block : {&state, &before}) {
    auto created = stepModule.newState();
    if (!created)
      return created.error();
    *block = std::move(*created);
  }
  if (options.keepBest) {
    auto created = stepModule.newState();
    if (!created)
      return created.error();
    best = std::move(*created);
  }
  if (auto done = initializeState(*state, stepModule.module(), program, options.settings.seed, options.weights); !done)
    return done.error();
  if (!options.checkpointFolder.empty()) {
    auto opened = host::CheckpointFolder::open(options.checkpointFolder, options.keep);
    if (!opened)
      return opened.error();
    folder = std::move(*opened);
    if (auto resumed = resume(); !resumed)
      return resumed.error();
  }
  firstUpdate = updates;
  if (!options.historyPath.empty()) {
    auto opened = host::History::open(options.historyPath, updates);
    if (!opened)
      return opened.error();
    historyFile = std::move(*opened);
    history = historyFile->records();
  }
  if (best && !bestKeeper->any())
    best->copyFrom(*state);
  if (options.accumulation) {
    if (auto done = options.accumulation->open(options.settings.batch, options.threads, *state); !done)
      return done.error();
    options.accumulation->call().setHyper("seed", static_cast<int64_t>(options.settings.seed));
    return {};
  }
  auto opened = stepModule.open(options.settings.batch, options.threads, &*state);
  if (!opened)
    return opened.error();
  session = std::move(*opened);
  auto kept = session->keepState();
  if (!kept)
    return kept.error();
  keepsState = *kept;
  overflow = stepModule.output(kOverflowOutput);
  call = std::make_unique<StepCall>(stepModule, options.settings.batch);
  call->setHyper("seed", static_cast<int64_t>(options.settings.seed));
  return {};
}

/// What must be as it was, so that the run goes on to the same bits; none of it is in the state's tensors.
static std::string conditions(const RunOptions &options, int64_t samples) {
  std::string text =
      fmt::format("batch {}, seed {}, {} samples", options.settings.batch, options.settings.seed, samples);
  if (options.accumulate > 1)
    text += fmt::format(", {} batches an update", options.accumulate);
  if (options.scalesLoss)
    text += ", the loss scaled";
  if (options.pixels != "unit")
    text += ", pixels " + options.pixels;
  return text;
}

host::CheckpointInfo TrainingRun::info() const {
  host::CheckpointInfo info;
  info.network = program.name;
  info.networkHash = programHash(program);
  info.toolVersion = options.toolVersion;
  info.step = updates;
  info.epoch = updates == 0 ? 0 : (updates - 1) / epochSteps + 1;
  info.batch = updates == 0 ? 0 : (updates - 1) % epochSteps + 1;
  info.seed = options.settings.seed;
  info.classNames = data.train.classNames();
  if (bestKeeper->any()) {
    info.bestMetric = options.watch;
    info.bestValue = bestKeeper->value();
  }
  for (const Rate &rate : rates)
    if (std::string text = rate.schedule.state(); !text.empty())
      info.more["schedule_of_" + rate.hyper] = text;
  info.more["conditions"] = conditions(options, data.train.size());
  info.more["pixels"] = options.pixels;
  info.more["losses"] = reports->state();
  info.more["best"] = bestKeeper->state();
  if (options.scalesLoss)
    info.more["loss_scale"] = lossScale.state();
  if (earlyStop)
    info.more["early_stop"] = earlyStop->state();
  return info;
}

Result<void> TrainingRun::saveCheckpoint() {
  if (!folder || savedAt == updates)
    return {};
  if (auto done = fetchState(); !done)
    return done;
  auto saved = folder->save(allTensors(*state), info());
  if (!saved)
    return saved.error();
  savedAt = updates;
  return {};
}

Result<void> TrainingRun::resume() {
  std::vector<std::string> skipped;
  auto checkpoint = host::latestCheckpoint(options.checkpointFolder, &skipped);
  for (const std::string &reason : skipped)
    notes.push_back("passed over: " + reason);
  if (!options.resume) {
    if (checkpoint)
      return makeError("there are checkpoints in '{}': --resume goes on from them; or give another folder",
                       options.checkpointFolder);
    return {};
  }
  if (!checkpoint) {
    if (!skipped.empty())
      return checkpoint.error();
    notes.push_back("no checkpoint in '" + options.checkpointFolder + "': training begins anew");
    return {};
  }
  if (auto fits = host::checkCheckpoint(*checkpoint, expectedTensors(*state), program.name, programHash(program));
      !fits)
    return fits.error();
  const auto &more = checkpoint->info.more;
  auto field = [&](const std::string &name) {
    auto found = more.find(name);
    return found == more.end() ? std::string() : found->second;
  };
  std::string now = conditions(options, data.train.size());
  if (field("conditions") != now)
    return makeError("{} was trained with {}, but this run has {}", checkpoint->path, field("conditions"), now);
  restoreState(*state, checkpoint->file);
  updates = savedAt = checkpoint->info.step;
  for (Rate &rate : rates)
    if (std::string text = field("schedule_of_" + rate.hyper); !text.empty())
      if (auto done = rate.schedule.restore(text); !done)
        return makeError("{}: {}", checkpoint->path, done.error().message);
  if (updates % epochSteps != 0)
    if (auto done = reports->restore(field("losses")); !done)
      return makeError("{}: {}", checkpoint->path, done.error().message);
  if (options.scalesLoss && !lossScale.restore(field("loss_scale")))
    return makeError("{}: '{}' is no loss scale", checkpoint->path, field("loss_scale"));
  if (std::string text = field("best"); !text.empty() && checkpoint->info.bestMetric == options.watch)
    if (auto done = bestKeeper->restore(text); !done)
      return makeError("{}: {}", checkpoint->path, done.error().message);
  if (std::string text = field("early_stop"); earlyStop && !text.empty())
    if (auto done = earlyStop->restore(text); !done)
      return makeError("{}: {}", checkpoint->path, done.error().message);
  if (best && bestKeeper->any()) {
    auto file = host::readCheckpoint(folder->bestPath());
    if (!file)
      return file.error();
    if (auto fits = host::checkCheckpoint(*file, expectedTensors(*state), program.name); !fits)
      return fits.error();
    restoreState(*best, file->file);
  }
  notes.push_back(fmt::format("resumed from {}", checkpoint->path));
  return {};
}

Result<void> TrainingRun::openLoader() {
  host::LoaderOptions loading;
  loading.batch = options.settings.batch;
  loading.shuffle = true;
  loading.seed = options.settings.seed;
  loading.epochs = options.settings.epochs;
  loading.startEpoch = updates / epochSteps;
  loading.startBatch = updates % epochSteps;
  loading.workers = options.workers;
  loading.buffers = std::max(4u, 2 * options.workers);
  if (augmenter)
    loading.hook = augmenter->hook();
  if (loading.startEpoch >= loading.epochs)
    return {}; // all is done already
  auto created = host::Loader::create(data.train, loading);
  if (!created)
    return created.error();
  loader = std::move(*created);
  return {};
}

TrainingRun::Memory TrainingRun::memory() const {
  Memory memory;
  memory.state = static_cast<uint64_t>(state->bytes()) * (best ? 3 : 2);
  memory.sessions = options.accumulation
                        ? options.accumulation->gradients().sessionBytes(options.settings.batch, options.threads) +
                              stepModule.sessionBytes(1, options.threads)
                        : stepModule.sessionBytes(options.settings.batch, options.threads);
  if (evaluator)
    memory.sessions += evaluator->memoryBytes();
  if (augment)
    memory.sessions += augment->sessionBytes(options.settings.batch, 1) * options.workers;
  memory.data = data.train.memoryBytes() + (loader ? loader->bufferBytes() : 0);
  if (data.validation)
    memory.data += data.validation->memoryBytes();
  return memory;
}

Result<void> TrainingRun::update(const Batch &batch) {
  host::ScheduleTime time{updates, epochSteps, epochSteps * options.settings.epochs};
  StepCall &updating = options.accumulation ? options.accumulation->updateCall() : *call;
  for (Rate &rate : rates)
    updating.setHyper(rate.hyper, rate.schedule.rate(rate.base, time));
  outputs().setHyper("step", updates);
  if (overflow)
    call->setHyper(kLossScaleHyper, lossScale.value());
  if (!options.accumulation)
    return call->run(*session, batch.count, binding.data(batch));
  if (auto added = options.accumulation->add(batch.count, binding.data(batch)); !added)
    return added.error();
  return isUpdate(batch) ? options.accumulation->step() : Result<void>();
}

Result<void> TrainingRun::fetchState() {
  if (!keepsState || fetched)
    return {};
  if (auto done = session->fetchState(); !done)
    return done;
  if (const StateVariable *variable = state->firstNotFinite())
    return makeError("step {}: '{}' is not finite", updates, variable->name);
  fetched = true;
  return {};
}

/// One step; false where it made a value that is not finite, the state being as before it.
Result<bool> TrainingRun::runStep(const Batch &batch) {
  if (!keepsState)
    before->copyFrom(*state);
  else if (auto done = session->saveState(); !done)
    return done.error();
  fetched = false;
  if (auto done = update(batch); !done)
    return done.error();
  std::string what;
  for (double loss : reports->batchLosses(outputs()))
    if (!std::isfinite(loss))
      what = fmt::format("the loss is {}", std::isnan(loss) ? std::abs(loss) : loss); // no "-nan"
  if (what.empty() && overflow) {
    if (call->scalar(*overflow) == 0) {
      lossScale.good();
    } else if (lossScale.overflowed()) {
      if (auto done = takeBack(); !done)
        return done.error();
      return true;
    } else {
      what = "gradients are not finite, whatever the loss is scaled by";
    }
  }
  if (what.empty() && !keepsState)
    if (const StateVariable *variable = state->firstNotFinite())
      what = "'" + variable->name + "' would not be finite";
  if (what.empty())
    return true;
  if (auto explained = explainNotFinite(batch, what); !explained)
    return explained.error();
  return false;
}

Result<void> TrainingRun::takeBack() {
  if (keepsState)
    return session->restoreState();
  state->copyFrom(*before);
  return {};
}

/// Runs the step again from the state before it, watched, and says in `endMessage` where the first value came from.
Result<void> TrainingRun::explainNotFinite(const Batch &batch, const std::string &what) {
  if (auto done = takeBack(); !done)
    return done;
  std::string where;
  // Steps on a device do not look at what they make of the state.
  if (keepsState) {
    if (auto done = session->fetchState(); !done)
      return done;
    if (const StateVariable *variable = state->firstNotFinite())
      where = "'" + variable->name + "' is not finite since the step before";
  }
  for (const TrainingInput &input : program.inputs)
    if (where.empty() && !isFinite(binding.find(batch, input.name)))
      where = "input '" + input.name + "' has such a value in the data of this batch";
  if (where.empty()) {
    auto found = options.accumulation ? options.accumulation->findNotFinite(batch.count, binding.data(batch))
                                      : call->findNotFinite(*session, batch.count, binding.data(batch));
    if (!found)
      return found.error();
    if (auto done = takeBack(); !done)
      return done;
    where = found->empty() ? "no group of the step has such a result" : "the first such value is made by " + *found;
  }
  endMessage =
      fmt::format("step {} (epoch {}, batch {}): {}; {}", updates + 1, batch.epoch + 1, batch.index + 1, what, where);
  return {};
}

double TrainingRun::watched(const HistoryRecord &record, std::string_view name) const {
  for (const NamedValue &value : record.validation)
    if (value.first == name)
      return value.second;
  if (name == "loss")
    return record.loss;
  for (const NamedValue &value : record.metrics)
    if (value.first == name)
      return value.second;
  return std::numeric_limits<double>::quiet_NaN();
}

Result<void> TrainingRun::endEpoch(const Batch &batch, double seconds, double waited, host::Progress &progress,
                                   EpochObserver observer) {
  HistoryRecord record;
  record.epoch = batch.epoch + 1;
  record.step = updates;
  record.loss = reports->loss();
  record.metrics = reports->values();
  record.samplesPerSecond = progress.samplesPerSecond();
  record.dataWait = seconds > 0 ? waited / seconds : 0;
  host::ScheduleTime last{updates - 1, epochSteps, epochSteps * options.settings.epochs};
  for (const Rate &rate : rates)
    record.extra.push_back(
        {rates.size() == 1 ? "learning_rate" : "learning_rate." + rate.hyper, rate.schedule.rate(rate.base, last)});
  if (evaluator || best || options.statistics || batch.epoch + 1 == options.settings.epochs)
    if (auto done = fetchState(); !done)
      return done;
  if (evaluator) {
    copyForEvaluation(evaluator->state(), *state, program);
    if (auto done = evaluator->run(*data.validation); !done)
      return done.error();
    record.validation = evaluator->reports().values();
    record.validation.insert(record.validation.begin(), {"loss", evaluator->reports().loss()});
  }
  reports->clear();
  for (Rate &rate : rates)
    if (!rate.schedule.watched().empty())
      rate.schedule.observe(watched(record, rate.schedule.watched()));
  double value = watched(record, options.watch);
  bool isBest = bestKeeper->observe(value, record.epoch);
  if (earlyStop && earlyStop->observe(value, record.epoch)) {
    shouldStop = true;
    endMessage = fmt::format("{} has not improved for {} {}", options.watch, options.settings.patience,
                             options.settings.patience == 1 ? "epoch" : "epochs");
  }
  if (best && isBest) {
    best->copyFrom(*state);
    if (folder)
      if (auto saved = folder->saveBest(allTensors(*best), info()); !saved)
        return saved.error();
  }
  if (auto saved = saveStatistics(batch); !saved)
    return saved.error();
  // The history first: what follows a checkpoint is dropped when the run is resumed from it, never missed.
  if (historyFile) {
    if (auto appended = historyFile->append(record); !appended)
      return appended.error();
  }
  history.push_back(record);
  if (auto saved = saveCheckpoint(); !saved)
    return saved.error();
  progress.finish();
  observer(record);
  return {};
}

Result<void> TrainingRun::saveStatistics(const Batch &batch) {
  if (!options.statistics)
    return {};
  auto measured = options.statistics->measure(*state, batch, options.settings.seed);
  if (!measured)
    return measured.error();
  layerFigures = std::move(*measured);
  if (statisticsText.empty())
    statisticsText = host::statisticsCsvHeader();
  statisticsText += host::statisticsCsv(layerFigures, batch.epoch + 1, updates);
  return host::writeFile(options.statisticsPath, std::string_view(statisticsText));
}

Result<RunEnd> TrainingRun::run(host::Progress &progress, const std::atomic<bool> &stop, EpochObserver observer) {
  int64_t batchesPerEpoch = epochSteps, epochs = options.settings.epochs;
  Clock::time_point epochStart = Clock::now(), figuresAt;
  double waitedBefore = loader ? loader->waitedSeconds() : 0;
  std::vector<NamedValue> figures;
  bool begins = true;
  int64_t everyDone = options.every > 0 ? updates / options.every : 0;
  while (loader) {
    auto next = loader->next();
    if (!next)
      return next.error();
    if (!*next)
      break;
    const Batch &batch = **next;
    if (begins) {
      progress.beginEpoch(batch.epoch + 1, epochs, batchesPerEpoch, batch.index);
      begins = false;
    }
    auto finite = runStep(batch);
    if (!finite)
      return finite.error();
    if (!*finite)
      return RunEnd::NotFinite;
    ++updates;
    if (auto added = reports->add(batch, outputs()); !added)
      return added.error();
    // Figures of the bar may cost more than a step: curves under a threshold are sorted.
    if (secondsSince(figuresAt) > 0.5) {
      figures = reports->values();
      figuresAt = Clock::now();
    }
    progress.update(batch.index + 1, batch.count, reports->loss(), figures);
    if (batch.index + 1 == batchesPerEpoch) {
      double seconds = secondsSince(epochStart), waited = loader->waitedSeconds() - waitedBefore;
      if (auto ended = endEpoch(batch, seconds, waited, progress, observer); !ended)
        return ended.error();
      if (shouldStop) {
        if (auto fetchedState = fetchState(); !fetchedState)
          return fetchedState.error();
        return RunEnd::Stopped;
      }
      begins = true;
      epochStart = Clock::now();
      waitedBefore = loader->waitedSeconds();
    } else if (options.every > 0 && isUpdate(batch) && updates / options.every > everyDone) {
      if (auto saved = saveCheckpoint(); !saved)
        return saved.error();
    }
    everyDone = options.every > 0 && isUpdate(batch) ? updates / options.every : everyDone;
    bool enough = options.maxSteps > 0 && updates - firstUpdate >= options.maxSteps;
    // Between updates there are gradients that no checkpoint holds.
    if ((stop || enough) && isUpdate(batch)) {
      if (auto fetchedState = fetchState(); !fetchedState)
        return fetchedState.error();
      if (auto saved = saveCheckpoint(); !saved)
        return saved.error();
      endMessage = fmt::format("stopped after step {}", updates);
      if (folder)
        endMessage += fmt::format("; --resume goes on from '{}'", options.checkpointFolder);
      return stop ? RunEnd::Interrupted : RunEnd::Done;
    }
  }
  return RunEnd::Done;
}

Result<void> TrainingRun::writeWeights(const std::string &path) const {
  const StateBlock &from = best ? *best : *state;
  std::map<std::string, std::string> metadata = host::checkpointMetadata(info());
  metadata["format"] = "cnnc weights 1";
  for (const char *name : {"conditions", "losses", "best", "early_stop", "loss_scale"})
    metadata.erase(name);
  return host::writeSafetensors(path, weightTensors(from, program), metadata);
}

} // namespace cnn
