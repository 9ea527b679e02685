// Block, settings and data; TrainingSetup.h has the contract.
#include "tools/cnnc/training/TrainingSetup.h"

#include "tools/cnnc/training/ClassChoice.h"
#include "tools/cnnc/training/SavedState.h"

#include "runtime/host/File.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace cnn {

TrainingProgram loadTrainBlock(MLIRContext &context, const std::string &net,
                               std::vector<std::pair<std::string, double>> settings) {
  prepareContext(context);
  TrainingRequest request;
  std::tie(request.path, request.train) = splitNet(net);
  request.settings = std::move(settings);
  Diagnostics diagnostics;
  TrainingProgram program = loadTraining(context, request, diagnostics);
  if (!program) {
    diagnostics.render(llvm::errs(), useColour());
    return program;
  }
  // Weights under the names of the networks' maps are for evaluations too.
  for (Operation &op : *ModuleOp(*program.step).getBody())
    if (auto name = op.getAttrOfType<StringAttr>("source_name"))
      if (Operation *same = program.evaluate->lookupSymbol(SymbolTable::getSymbolName(&op)))
        same->setAttr("source_name", name);
  return program;
}

TrainingSettings settingsOf(const TrainingProgram &program) {
  TrainingSettings settings;
  for (const auto &[name, value] : program.settings) {
    if (name == "epochs")
      settings.epochs = static_cast<int64_t>(value);
    else if (name == "batch")
      settings.batch = static_cast<int64_t>(value);
    else if (name == "patience")
      settings.patience = static_cast<int64_t>(value);
    else if (name == "validation")
      settings.validation = value;
    else if (name == "seed")
      settings.seed = static_cast<uint64_t>(value);
  }
  return settings;
}

void DataOptions::declare(CommandLine &line) {
  line.text("data", "DIR", data,
            "the data: a folder, an archive or a file (docs/training.md lists the forms); required");
  line.text("only", "CLASSES", only, "only samples of these classes: 0-8, or cat,dog; validation keeps all");
  line.text("except", "CLASSES", except, "only samples of the other classes; validation keeps all");
  line.text(
      "pixels", "HOW", pixels,
      "8-bit values without preprocessing become value / 255 (unit) or the value (raw); as the weights were trained");
  line.flag("skip-bad", skipBad, "leave out samples that cannot be read, and say how many; otherwise they are errors");
  line.number("workers", "N", workers, 1, 256, "threads that decode (half of --threads)");
}

std::string DataOptions::problem() const {
  if (data.empty())
    return "'--data' is missing: the folder or file with the data";
  if (!pixels.empty() && pixels != "unit" && pixels != "raw")
    return "'--pixels' is '" + pixels + "': unit or raw is expected";
  if (!only.empty() && !except.empty())
    return "'--only' and '--except' say the same in two ways: give one of them";
  return "";
}

host::Result<void> DataOptions::adopt(const std::string &weightsFile) {
  if (!pixels.empty() || weightsFile.empty())
    return {};
  auto kept = pixelsOf(weightsFile);
  if (!kept)
    return kept.error();
  pixels = *kept == host::PixelScale::Raw ? "raw" : "unit";
  return {};
}

unsigned DataOptions::workersFor(int64_t threads) const {
  return static_cast<unsigned>(workers ? workers : std::max<int64_t>(1, threads / 2));
}

host::Result<host::DatasetOptions> DataOptions::dataset(ArrayRef<TrainingInput> inputs, int64_t threads) const {
  auto fields = fieldsOf(inputs);
  if (!fields)
    return fields.error();
  host::DatasetOptions options;
  options.fields = std::move(*fields);
  options.pixels = pixels == "raw" ? host::PixelScale::Raw : host::PixelScale::Unit;
  options.skipBad = skipBad;
  options.labels = !only.empty() || !except.empty();
  options.threads = static_cast<unsigned>(threads);
  return options;
}

host::Result<host::Dataset> DataOptions::choose(const host::Dataset &samples) const {
  if (!only.empty())
    return chooseClasses(samples, only, /*keep=*/true);
  return except.empty() ? samples : chooseClasses(samples, except, /*keep=*/false);
}

void reportSkipped(const host::Dataset &data) { reportSkipped(ArrayRef<std::string>(data.skipped())); }

void reportSkipped(ArrayRef<std::string> skipped) {
  constexpr size_t kShown = 5;
  if (skipped.empty())
    return;
  llvm::errs() << "skipped " << skipped.size() << (skipped.size() == 1 ? " sample:\n" : " samples:\n");
  for (size_t i = 0; i < std::min(skipped.size(), kShown); ++i)
    llvm::errs() << "  " << skipped[i] << "\n";
  if (skipped.size() > kShown)
    llvm::errs() << "  and " << skipped.size() - kShown << " more\n";
}

host::Result<void> checkOutputPath(const std::string &path) {
  StringRef folder = llvm::sys::path::parent_path(path);
  if (!folder.empty() && !llvm::sys::fs::is_directory(folder))
    return host::makeError("cannot write '{}': the folder '{}' does not exist", path, folder.str());
  if (llvm::sys::fs::is_directory(path))
    return host::makeError("cannot write '{}': it is a folder", path);
  // A file that is begun and dropped; not what such a thing as a pipe or a terminal would notice.
  if (llvm::sys::fs::exists(path) && !llvm::sys::fs::is_regular_file(path))
    return {};
  auto begun = host::AtomicFile::create(path);
  return begun ? host::Result<void>() : begun.error();
}

std::pair<int64_t, int64_t> countParameters(const TrainingProgram &program) {
  llvm::StringSet<> used, trained;
  for (const TrainingNetwork &network : program.networks)
    for (const std::string &name : network.state)
      used.insert(name);
  for (const TrainingMinimization &minimization : program.minimizations)
    for (const std::string &name : minimization.parameters)
      trained.insert(name);
  std::pair<int64_t, int64_t> counts = {0, 0};
  for (ParamOp op : ModuleOp(*program.step).getOps<ParamOp>()) {
    int64_t elements = cast<RankedTensorType>(op.getType()).getNumElements();
    counts.first += used.contains(op.getSymName()) ? elements : 0;
    counts.second += trained.contains(op.getSymName()) ? elements : 0;
  }
  return counts;
}

} // namespace cnn
