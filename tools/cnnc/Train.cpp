// `cnnc train`: a train block over a data set, to a weights file.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Table.h"
#include "tools/cnnc/training/ClassWeights.h"
#include "tools/cnnc/training/FindRate.h"
#include "tools/cnnc/training/Preview.h"
#include "tools/cnnc/training/TrainingRun.h"

#include "runtime/host/Cpus.h"

#include "llvm/Support/FileSystem.h"

#include <chrono>
#include <csignal>

using namespace mlir;

namespace cnn {
namespace {

std::atomic<bool> stopAsked = false;

/// The first signal asks the run to end after its step; the second one ends the process.
extern "C" void askToStop(int signal) {
  stopAsked = true;
  std::signal(signal, SIG_DFL);
}

struct TrainOptions {
  std::string net, output, curves, validation, classWeights, sweep, preview, lossScaling = "auto";
  DataOptions data;
  TargetOptions target;
  RunOptions run;
  std::vector<std::string> rates;
  /// Settings given on the command line; -1: not.
  int64_t epochs = -1, batch = -1, patience = -1, seed = -1;
  std::optional<double> minimumDelta;
  bool json = false, quiet = false;

  void declare(CommandLine &line) {
    line.positional("NET", net, "FILE.cnn, or FILE.cnn:NAME where the file holds several train blocks");
    data.declare(line);
    line.text("output", "FILE", output,
              "the weights, a safetensors file; required, but by --find-rate and --preview refused");
    line.number("epochs", "N", epochs, 1, 1000000, "passes over the data (the block's)");
    line.number("batch", "N", batch, 1, int64_t(1) << 20, "samples a step (the block's)");
    line.text("validation", "SHARE|DIR", validation, "the share of the data held out, or other data (the block's)");
    line.number("seed", "N", seed, 0, int64_t(1) << 52, "of initial weights, order and draws (the block's)");
    line.list("learning-rate", "[NAME=]RATE", rates, "another learning rate for the block's schedule to work on");
    line.text("weights", "FILE", run.weights, "begin with these parameters and statistics");
    target.declare(line);
    line.text("checkpoint", "DIR", run.checkpointFolder, "keep checkpoints here: after each epoch, and when stopped");
    line.number("every", "N", run.every, 1, int64_t(1) << 40, "also after every N steps");
    line.number("keep", "N", run.keep, 1, 1000000, "how many checkpoints stay (3)");
    line.flag("resume", run.resume, "go on from the last checkpoint, to the same bits");
    line.number("steps", "N", run.maxSteps, 1, int64_t(1) << 40, "end after N steps of this call");
    line.text("watch", "FIGURE", run.watch,
              "loss, or a reported figure: what the next three go by, of validation if any");
    line.number("patience", "N", patience, 0, 1000000, "stop when that has not improved for N epochs (the block's)");
    line.real("min-delta", "X", minimumDelta, 0, 1e30, "what counts as an improvement (anything)");
    line.flag("keep-best", run.keepBest, "write the weights of the best epoch instead of the last one");
    line.text("history", "PATH", run.historyPath, "a record an epoch to PATH.jsonl and PATH.csv (DIR/history)");
    line.text("curves", "FILE", curves, "draw the history as .png or .svg");
    line.text("statistics", "FILE", run.statisticsPath,
              "figures of activations, weights and gradients after each epoch, printed and as .csv");
    line.number("accumulate", "N", run.accumulate, 1, 1 << 20,
                "update after N batches, with the mean of their gradients (1)");
    line.text("loss-scaling", "HOW", lossScaling,
              "on, off, or auto: with --precision f16; gradients of a loss that is scaled, as far as they stay finite");
    line.text("class-weights", "HOW", classWeights,
              "balanced, or a number a class: how often samples of each class come");
    line.text("find-rate", "FILE", sweep, "train nothing: sweep the learning rate and draw the loss to .png or .svg");
    line.text("preview", "FILE", preview, "train nothing: draw what augmentation makes of the first images to .png");
    line.flag("quiet", quiet, "no progress");
    line.flag("json", json, "print a line of JSON an epoch");
  }
};

/// Where what is for people goes: not among the lines of JSON.
llvm::raw_ostream &people(const TrainOptions &options) { return options.json ? llvm::errs() : llvm::outs(); }

/// The settings that replace the block's. Returns what is wrong, or an empty string.
std::string collectSettings(TrainOptions &options, std::vector<std::pair<std::string, double>> &settings,
                            std::string &validationPath) {
  for (auto [name, value] : {std::pair("epochs", options.epochs), std::pair("batch", options.batch),
                             std::pair("patience", options.patience), std::pair("seed", options.seed)})
    if (value >= 0)
      settings.push_back({name, static_cast<double>(value)});
  double share = 0;
  if (!options.validation.empty()) {
    if (StringRef(options.validation).getAsDouble(share)) {
      validationPath = options.validation;
      share = 0;
    } else if (!(share >= 0 && share < 1)) {
      return "'--validation' is '" + options.validation + "': a share from 0 to below 1, or a path, is expected";
    }
    settings.push_back({"validation", share});
  }
  for (StringRef text : options.rates) {
    auto [name, number] = text.contains('=') ? text.split('=') : std::pair(StringRef(), text);
    double rate = 0;
    if (number.getAsDouble(rate) || !(rate > 0 && rate <= 1e30))
      return ("'--learning-rate' is '" + text + "': a number above 0 is expected").str();
    options.run.rates.push_back({name.str(), rate});
  }
  return "";
}

void printPlan(const TrainOptions &options, const TrainingProgram &program, const host::Splits &data,
               const TrainingRun &run, const StepModule &step) {
  llvm::raw_ostream &stream = people(options);
  const TrainingSettings &settings = options.run.settings;
  auto [used, trained] = countParameters(program);
  TrainingRun::Memory memory = run.memory();
  stream << program.name << " on " << step.describe() << ", " << options.run.threads
         << (options.run.threads == 1 ? " thread" : " threads") << "\n";
  stream << "data:       " << withSeparators(data.train.size()) << " samples (" << data.train.format() << ")";
  if (data.validation)
    stream << ", " << withSeparators(data.validation->size()) << (data.validatesOnTest ? " of the test part" : "")
           << " to validate";
  if (!data.train.classNames().empty())
    stream << ", " << data.train.classNames().size() << " classes";
  stream << "\nparameters: " << withSeparators(used);
  if (trained != used)
    stream << ", " << withSeparators(trained) << " trained";
  stream << "\nmemory:     " << bytesText(static_cast<int64_t>(memory.state + memory.sessions + memory.data))
         << " (state " << bytesText(static_cast<int64_t>(memory.state)) << ", workspace "
         << bytesText(static_cast<int64_t>(memory.sessions)) << ", data "
         << bytesText(static_cast<int64_t>(memory.data)) << ")\n";
  stream << "training:   " << settings.epochs << (settings.epochs == 1 ? " epoch" : " epochs") << " of "
         << withSeparators(run.stepsPerEpoch()) << (run.stepsPerEpoch() == 1 ? " step" : " steps") << ", batch "
         << settings.batch;
  if (options.run.accumulate > 1)
    stream << ", " << options.run.accumulate << " batches an update";
  stream << ", seed " << settings.seed << "\n";
  if (options.run.scalesLoss)
    stream << "loss:       scaled in gradients, by 65536 to begin with\n";
  for (const std::string &note : run.notes)
    stream << note << "\n";
  stream << "\n";
  stream.flush();
}

std::string figuresText(llvm::ArrayRef<host::NamedValue> values) {
  std::string text;
  for (const host::NamedValue &value : values)
    text += fmt::format("  {} {:.4f}", value.first, value.second);
  return text;
}

/// Which epochs get a line where there are many short ones: all up to 100, else about 50 round numbers of them.
int64_t epochsPerLine(int64_t epochs) {
  int64_t every = 1;
  for (int64_t power = 1; epochs > 100 && epochs / every > 50; power *= 10)
    for (int64_t step : {power, 2 * power, 5 * power})
      if (epochs / every > 50)
        every = step;
  return every;
}

/// Says which epochs are printed: every line of JSON; for people every one that took a while, else round numbers.
class EpochLines {
public:
  EpochLines(const TrainOptions &options)
      : every(options.json ? 1 : epochsPerLine(options.run.settings.epochs)), epochs(options.run.settings.epochs) {}

  bool wants(int64_t epoch) {
    auto now = std::chrono::steady_clock::now();
    bool isSlow = now - lastEpoch > std::chrono::seconds(1);
    lastEpoch = now;
    return isSlow || epoch % every == 0 || epoch == 1 || epoch == epochs;
  }

private:
  int64_t every, epochs;
  std::chrono::steady_clock::time_point lastEpoch = std::chrono::steady_clock::now();
};

void printEpoch(const TrainOptions &options, const host::HistoryRecord &record) {
  if (options.json) {
    llvm::outs() << host::jsonLine(record) << "\n";
  } else {
    llvm::outs() << fmt::format("epoch {}/{}  loss {:.4f}{}", record.epoch, options.run.settings.epochs, record.loss,
                                figuresText(record.metrics));
    if (!record.validation.empty())
      llvm::outs() << "  validation:" << figuresText(record.validation);
    llvm::outs() << fmt::format("  {} samples/s, {:.1f} % waiting for data\n", host::rateText(record.samplesPerSecond),
                                100 * record.dataWait);
  }
  llvm::outs().flush();
}

/// `--find-rate`: the curve, its numbers beside it, and the rate to begin with.
int sweepRates(const TrainOptions &options, const TrainingProgram &program, const StepModule &step,
               const StepModule *augment, const host::Dataset &data) {
  auto finder = findRate(program, step, augment, data, options.run, {});
  if (!finder)
    return fail(finder.error().message);
  std::string table = llvm::StringRef(options.sweep).drop_back(4).str() + ".csv";
  auto drawn = host::writePlot(options.sweep, finder->figure());
  auto written = drawn ? finder->writeCsv(table) : host::Result<void>();
  if (!drawn || !written)
    return fail(!drawn ? drawn.error().message : written.error().message);
  auto rate = finder->suggestion();
  if (!rate)
    return fail(rate.error().message);
  if (options.json)
    llvm::outs() << fmt::format("{{\"learning_rate\": {}, \"steps\": {}}}\n", *rate, finder->points().size());
  else
    llvm::outs() << fmt::format("learning rate {:.2g}: where the loss falls most steeply over {} steps, see {}\n",
                                *rate, finder->points().size(), options.sweep);
  return 0;
}

/// `--preview`
int preview(const TrainOptions &options, const TrainingProgram &program, const TargetChoice &choice,
            const host::Dataset &data) {
  if (!program.augment)
    return fail("'" + program.name + "' augments nothing: --preview has nothing to show");
  auto augment = StepModule::create(*program.augment, choice, options.target.exact);
  if (!augment)
    return fail(augment.error().message);
  auto sheet = previewSheet(program, **augment, data, static_cast<uint64_t>(options.run.settings.seed));
  auto written = sheet ? host::writePng(options.preview, *sheet) : host::Result<void>();
  if (!sheet || !written)
    return fail(!sheet ? sheet.error().message : written.error().message);
  people(options) << "wrote " << options.preview << "\n";
  return 0;
}

} // namespace

int trainCommand(ArrayRef<std::string> arguments) {
  TrainOptions options;
  CommandLine line("cnnc train", "Trains the networks of a train block and writes their weights.");
  options.declare(line);
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  if (std::string problem = options.data.problem(); !problem.empty())
    return line.misuse(problem);
  bool trains = options.sweep.empty() && options.preview.empty();
  if (options.output.empty() == trains)
    return line.misuse(trains                    ? "'--output' is missing: the file for the weights"
                       : options.preview.empty() ? "'--find-rate' trains nothing: leave out --output"
                                                 : "'--preview' trains nothing: leave out --output");
  if (!options.sweep.empty() && !options.preview.empty())
    return line.misuse("'--find-rate' and '--preview' are two commands");
  if (!options.preview.empty() && !StringRef(options.preview).ends_with_insensitive(".png"))
    return line.misuse("'--preview' is '" + options.preview + "': a name ending in .png is expected");
  if (options.run.resume && options.run.checkpointFolder.empty())
    return line.misuse("'--resume' needs --checkpoint DIR");
  if (options.run.every && options.run.checkpointFolder.empty())
    return line.misuse("'--every' needs --checkpoint DIR");
  for (const auto &[name, path] : {std::pair("--curves", options.curves), std::pair("--find-rate", options.sweep)})
    if (!path.empty() && !StringRef(path).ends_with_insensitive(".png") &&
        !StringRef(path).ends_with_insensitive(".svg"))
      return line.misuse(llvm::Twine("'") + name + "' is '" + path + "': a name ending in .png or .svg is expected");
  std::vector<std::pair<std::string, double>> settings;
  std::string validationPath;
  if (std::string problem = collectSettings(options, settings, validationPath); !problem.empty())
    return line.misuse(problem);
  auto choice = TargetChoice::parse(options.target.target, /*all=*/false);
  if (!choice)
    return line.misuse(choice.error().message);
  const std::string &scaling = options.lossScaling;
  if (scaling != "on" && scaling != "off" && scaling != "auto")
    return line.misuse("'--loss-scaling' is '" + scaling + "': on, off or auto is expected");
  options.run.scalesLoss =
      scaling == "on" || (scaling == "auto" && choice->isCuda() && choice->precision == Precision::F16);
  if (options.run.scalesLoss && options.run.accumulate > 1)
    return line.misuse("'--accumulate' adds gradients of a loss that is not scaled: --loss-scaling off");
  options.run.scalesLoss &= trains;
  options.run.threads = static_cast<int>(options.target.threads ? options.target.threads : host::usableCpus());
  options.run.workers = options.data.workersFor(options.run.threads);
  options.run.minimumDelta = options.minimumDelta.value_or(0);
  options.run.toolVersion = CNN_VERSION;
  options.run.pixels = options.data.pixels.empty() ? "unit" : options.data.pixels;
  if (options.run.historyPath.empty() && !options.run.checkpointFolder.empty())
    options.run.historyPath = options.run.checkpointFolder + "/history";
  for (const std::string &path : {options.output, options.curves, options.sweep, options.preview,
                                  options.run.statisticsPath, options.run.historyPath})
    if (!path.empty() && path != options.run.checkpointFolder + "/history")
      if (auto good = checkOutputPath(path); !good)
        return fail(good.error().message);

  MLIRContext context;
  TrainingProgram program = loadTrainBlock(context, options.net, settings);
  if (!program)
    return 1;
  options.run.settings = settingsOf(program);
  auto dataset = options.data.dataset(program.inputs, options.run.threads);
  if (!dataset)
    return fail(dataset.error().message);
  dataset->validation = validationPath.empty() ? options.run.settings.validation : 0;
  dataset->seed = options.run.settings.seed;
  auto data = host::openSplits(options.data.data, *dataset, validationPath);
  if (!data)
    return fail(data.error().message);
  reportSkipped(data->train);
  auto chosen = options.data.choose(data->train);
  if (!chosen)
    return fail(chosen.error().message);
  data->train = std::move(*chosen);
  if (data->validation)
    reportSkipped(*data->validation);

  if (!options.classWeights.empty()) {
    auto weighted = weightClasses(data->train, options.classWeights, options.run.settings.seed);
    if (!weighted)
      return fail(weighted.error().message);
    data->train = std::move(*weighted);
  }

  std::unique_ptr<StepModule> step, evaluate, augment;
  auto prepare = [&](OwningOpRef<ModuleOp> &module, std::unique_ptr<StepModule> &into) -> host::Result<void> {
    TargetChoice target = *choice;
    target.scalesLoss = options.run.scalesLoss && &module == &program.step;
    auto made = StepModule::create(*module, target, options.target.exact);
    if (!made)
      return made.error();
    into = std::move(*made);
    return {};
  };
  if (!options.preview.empty())
    return preview(options, program, *choice, data->train);
  std::unique_ptr<Accumulation> accumulation;
  if (options.run.accumulate > 1 && options.sweep.empty()) {
    auto made = Accumulation::create(program, *choice, options.target.exact);
    if (!made)
      return fail(made.error().message);
    accumulation = std::move(*made);
    options.run.accumulation = accumulation.get();
  } else if (auto done = prepare(program.step, step); !done) {
    return fail(done.error().message);
  }
  if (program.augment)
    if (auto done = prepare(program.augment, augment); !done)
      return fail(done.error().message);
  if (!options.sweep.empty())
    return sweepRates(options, program, *step, augment.get(), data->train);
  if (data->validation)
    if (auto done = prepare(program.evaluate, evaluate); !done)
      return fail(done.error().message);
  std::unique_ptr<LayerStatistics> statistics;
  if (!options.run.statisticsPath.empty()) {
    auto made = LayerStatistics::create(program, augment.get(), *choice, options.target.exact, options.run.threads);
    if (!made)
      return fail(made.error().message);
    statistics = std::move(*made);
    options.run.statistics = statistics.get();
  }
  auto run = TrainingRun::create(program, accumulation ? accumulation->update() : *step, evaluate.get(), augment.get(),
                                 *data, options.run);
  if (!run)
    return fail(run.error().message);
  printPlan(options, program, *data, **run, accumulation ? accumulation->gradients() : *step);

  std::signal(SIGINT, askToStop);
  std::signal(SIGTERM, askToStop);
  host::Progress progress(host::standardErrorProgress(), !options.quiet);
  EpochLines lines(options);
  int64_t ended = 0, printed = 0;
  auto print = [&](const host::HistoryRecord &record) {
    printEpoch(options, record);
    if (statistics)
      people(options) << "\n" << host::statisticsTable((*run)->statistics()) << "\n";
    printed = record.epoch;
  };
  auto end = (*run)->run(progress, stopAsked, [&](const host::HistoryRecord &record) {
    ended = record.epoch;
    if (lines.wants(record.epoch))
      print(record);
  });
  progress.finish();
  // A run that ends early ends with a line too.
  if (end && printed < ended)
    print((*run)->records().back());
  if (!end)
    return fail(end.error().message);
  if (*end == RunEnd::NotFinite)
    return fail((*run)->message());
  if (!options.curves.empty() && !(*run)->records().empty())
    if (auto drawn = host::writeCurves(options.curves, (*run)->records(), program.name); !drawn)
      return fail(drawn.error().message);
  if (*end == RunEnd::Interrupted)
    return fail((*run)->message() + "; " + options.output + " was not written");
  if (!(*run)->message().empty())
    people(options) << (*run)->message() << "\n";
  if (auto written = (*run)->writeWeights(options.output); !written)
    return fail(written.error().message);
  people(options) << "wrote " << options.output << "\n";
  return 0;
}

} // namespace cnn
