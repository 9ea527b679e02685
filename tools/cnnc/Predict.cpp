// `cnnc predict`: a folder of pictures to a table of classes, or to masks.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/PredictMasks.h"
#include "tools/cnnc/Table.h"
#include "tools/cnnc/training/SavedState.h"
#include "tools/cnnc/training/TrainingSetup.h"

#include "codegen/package/Loaded.h"
#include "runtime/host/Cpus.h"
#include "runtime/host/Csv.h"
#include "runtime/host/Json.h"
#include "runtime/host/Labels.h"
#include "runtime/host/Picture.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cnn {
namespace {

struct PredictOptions {
  NetworkOptions network;
  WeightOptions weights;
  TargetOptions target;
  std::vector<std::string> inputs;
  std::string output, labels, sheet, pixels;
  int64_t batch = 32, workers = 0;
  MaskOptions masks;
  int64_t tile = 0;
  bool skipBad = false, scores = false, json = false;
};

struct Judgement {
  size_t best;
  double probability;
};

Judgement judge(std::span<const float> scores, bool areProbabilities) {
  size_t best = static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  double sum = 0;
  for (float score : scores)
    sum += std::exp(static_cast<double>(score) - scores[best]);
  return {best, areProbabilities ? static_cast<double>(scores[best]) : 1 / sum};
}

/// One line of the CSV file.
std::string row(const std::string &sample, std::span<const float> scores, Judgement judgement,
                ArrayRef<std::string> names, bool withScores) {
  std::string line = host::csvField(sample) + "," + std::to_string(judgement.best) + "," +
                     host::csvField(judgement.best < names.size() ? names[judgement.best] : "") + "," +
                     host::csvNumber(judgement.probability);
  if (withScores)
    for (float score : scores)
      line += "," + host::csvNumber(score);
  return line + "\n";
}

/// The picture behind a sample; where the data has arrays of numbers, what the network sees.
host::Result<host::Image> pictureOf(const host::Dataset &data, const host::Batch &batch, size_t i) {
  if (auto picture = data.picture(batch.samples[i]))
    return picture;
  host::TensorView one = batch.tensors.front().view();
  size_t bytes = one.bytes.size() / static_cast<size_t>(one.shape.front());
  one.shape.front() = 1;
  one.bytes = one.bytes.subspan(i * bytes, bytes);
  host::ValueRange range = host::finiteRange(one);
  return host::pictureOf(one, range.low >= 0 && range.high <= 1 ? host::ValueRange() : range);
}

/// How many pictures went to each class, and how sure the network was of them.
class Tally {
public:
  explicit Tally(int64_t classes) : counts(static_cast<size_t>(classes)), sums(static_cast<size_t>(classes)) {}

  void add(Judgement judgement) {
    ++counts[judgement.best];
    sums[judgement.best] += judgement.probability;
    total += judgement.probability;
    ++pictures;
  }
  double meanProbability() const { return total / static_cast<double>(std::max<int64_t>(1, pictures)); }
  ArrayRef<int64_t> classes() const { return counts; }

  /// Without classes that no picture went to where there are many.
  void print(ArrayRef<std::string> names) const {
    Table table({{"class", Table::Align::Right},
                 {"label", Table::Align::Left},
                 {"pictures", Table::Align::Right},
                 {"share", Table::Align::Right},
                 {"mean probability", Table::Align::Right}});
    for (size_t i = 0; i < counts.size(); ++i)
      if (counts[i] || counts.size() <= 20)
        table.add({std::to_string(i), i < names.size() ? names[i] : "", withSeparators(counts[i]),
                   fmt::format("{:.1f} %", 100.0 * static_cast<double>(counts[i]) / static_cast<double>(pictures)),
                   counts[i] ? fmt::format("{:.4f}", sums[i] / static_cast<double>(counts[i])) : ""});
    table.add({"all", "", withSeparators(pictures), "", fmt::format("{:.4f}", meanProbability())});
    table.print(llvm::outs());
  }

private:
  std::vector<int64_t> counts;
  std::vector<double> sums;
  double total = 0;
  int64_t pictures = 0;
};

} // namespace

int predictCommand(ArrayRef<std::string> arguments) {
  PredictOptions options;
  CommandLine line("cnnc predict", "Writes the class of each picture of a folder to a CSV file, or of each pixel to a "
                                   "folder of masks.");
  options.network.declare(line);
  options.weights.declare(line);
  options.target.declare(line);
  line.list("input", "FOLDER|FILE", options.inputs, "pictures, and folders and archives of them; required");
  line.text("output", "FILE", options.output,
            "the table, a CSV file: file,class,label,probability; of masks, a folder for them; required");
  line.text("sheet", "FILE", options.sheet, "a sheet of the first 100 pictures with their classes, as .png");
  line.text("labels", "FILE", options.labels, "names of the classes, one a line (those kept with the weights)");
  line.number("batch", "N", options.batch, 1, int64_t(1) << 20, "pictures at a time (32)");
  line.number("workers", "N", options.workers, 1, 256, "threads that decode (half of --threads)");
  line.text(
      "pixels", "HOW", options.pixels,
      "8-bit values without preprocessing become value / 255 (unit) or the value (raw); as the weights were trained");
  line.number("tile", "N", options.tile, 1, 1 << 20, "masks: the height and width of the network's input (its own)");
  line.number(
      "overlap", "N", options.masks.overlap, 0, 1 << 20,
      "masks: pixels on each side of a tile that its neighbours tell (a quarter of the tile, where a picture is of "
      "another size than the input)");
  line.text("compare", "FOLDER", options.masks.truth, "masks: the true ones, of the pictures' names; prints figures");
  line.flag("skip-bad", options.skipBad, "leave out what cannot be read, and say how many; otherwise it is an error");
  line.flag("scores", options.scores, "a column with the score of each class as well");
  line.flag("json", options.json, "print one line of JSON");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  if (options.inputs.empty())
    return line.misuse("'--input' is missing: pictures or a folder of them");
  if (options.output.empty())
    return line.misuse("'--output' is missing: the file for the table");
  if (!options.pixels.empty() && options.pixels != "unit" && options.pixels != "raw")
    return line.misuse("'--pixels' is '" + options.pixels + "': unit or raw is expected");
  auto choice = TargetChoice::parse(options.target.target, /*all=*/false);
  if (!choice)
    return line.misuse(choice.error().message);
  MLIRContext context;
  OwningOpRef<ModuleOp> network = loadNetwork(context, options.network);
  if (!network)
    return 1;
  auto infer = network->lookupSymbol<func::FuncOp>(kInferFunction);
  std::vector<Port> inputs = inputsOf(infer), outputs = outputsOf(infer);
  if (options.tile && inputs.size() == 1 && inputs[0].type.getRank() == 4) {
    options.network.shapes.push_back(
        fmt::format("{}={}x{}x{}", inputs[0].name, inputs[0].type.getDimSize(1), options.tile, options.tile));
    network = loadNetwork(context, options.network);
    if (!network)
      return 1;
    infer = network->lookupSymbol<func::FuncOp>(kInferFunction);
    inputs = inputsOf(infer), outputs = outputsOf(infer);
  }
  RankedTensorType scoreType = outputs.front().type;
  bool masks = inputs.size() == 1 && givesMasks(scoreType);
  if (!masks && (options.tile || options.masks.overlap >= 0 || !options.masks.truth.empty()))
    return fail("'" + networkName(*network) +
                "' gives no masks: one input, and an output [N, classes, H, W], go with "
                "--tile, --overlap and --compare");
  for (const std::string &path : {options.output, options.sheet})
    if (!path.empty() && !masks)
      if (auto good = checkOutputPath(path); !good)
        return fail(good.error().message);
  if (!masks && (inputs.size() != 1 || scoreType.getRank() != 2 || scoreType.getDimSize(1) < 2))
    return fail(
        "'" + networkName(*network) +
        "' is no classifier of pictures: one input, and an output [N, classes] or [N, classes, H, W], are expected");
  bool areProbabilities = isa_and_nonnull<SoftmaxOp>(infer.front().getTerminator()->getOperand(0).getDefiningOp());
  int64_t classes = scoreType.getDimSize(1);
  auto weights = Weights::open(*network, options.weights);
  if (!weights)
    return fail(weights.error().message);
  auto names = !options.labels.empty()        ? host::readLabels(options.labels)
               : options.weights.file.empty() ? host::Result<std::vector<std::string>>(std::vector<std::string>())
                                              : classNamesOf(options.weights.file);
  if (!names)
    return fail(names.error().message);
  if (!masks && !names->empty() && static_cast<int64_t>(names->size()) != classes)
    return fail(fmt::format("there are {} names of classes, but the network has {} classes", names->size(), classes));

  int64_t threads = options.target.threads ? options.target.threads : host::usableCpus();
  DataOptions reading;
  reading.pixels = options.pixels;
  reading.skipBad = options.skipBad && !masks;
  reading.workers = options.workers;
  if (auto adopted = reading.adopt(options.weights.file); !adopted)
    return fail(adopted.error().message);
  TrainingInput input{inputs.front().name, inputs.front().type, 0, inputs.front().preprocess};
  auto dataset = reading.dataset(input, threads);
  if (!dataset)
    return fail(dataset.error().message);
  auto data = host::openPictures(options.inputs, *dataset);
  if (!data)
    return fail(data.error().message);
  reportSkipped(*data);
  options.target.threads = threads;
  if (masks) {
    auto target = createTarget(*network, *weights, options.target);
    if (!target)
      return fail(target.error().message);
    options.masks.folder = options.output;
    options.masks.batch = options.batch;
    options.masks.rawPixels = reading.pixels == "raw";
    options.masks.skipBad = options.skipBad;
    auto done = predictMasks(*data, **target, inputs.front(), outputs.front(), options.masks);
    if (!done)
      return fail(done.error().message);
    reportSkipped(done->skipped);
    done->print(networkName(*network), **target, options.output, options.json);
    return 0;
  }
  host::LoaderOptions loading;
  loading.batch = options.batch;
  loading.workers = reading.workersFor(threads);
  auto loader = host::Loader::create(*data, loading);
  if (!loader)
    return fail(loader.error().message);
  auto target = createTarget(*network, *weights, options.target);
  if (!target)
    return fail(target.error().message);

  std::string table = "file,class,label,probability";
  for (int64_t i = 0; options.scores && i < classes; ++i)
    table += ",score_" + std::to_string(i);
  table += "\n";
  constexpr size_t kShown = 100;
  std::vector<host::LabelledPicture> shown;
  Tally tally(classes);
  while (true) {
    auto next = (*loader)->next();
    if (!next)
      return fail(next.error().message);
    if (!*next)
      break;
    auto results = (*target)->run((*next)->tensors);
    if (!results)
      return fail(results.error().message);
    std::vector<float> scores = results->front().view().toFloats();
    for (size_t i = 0; i < static_cast<size_t>((*next)->count); ++i) {
      auto own = std::span(scores).subspan(i * static_cast<size_t>(classes), static_cast<size_t>(classes));
      Judgement judgement = judge(own, areProbabilities);
      int64_t sample = (*next)->samples[i];
      table += row(data->sampleName(sample), own, judgement, *names, options.scores);
      tally.add(judgement);
      if (options.sheet.empty() || shown.size() == kShown)
        continue;
      auto picture = pictureOf(*data, **next, i);
      if (!picture)
        return fail(picture.error().message);
      std::string name = judgement.best < names->size() ? (*names)[judgement.best] : std::to_string(judgement.best);
      shown.push_back({name + fmt::format("\n{:.4f}", judgement.probability), std::move(*picture)});
    }
  }
  if (!options.sheet.empty()) {
    auto sheet = host::contactSheet(shown, /*columns=*/10);
    if (!sheet)
      return fail(sheet.error().message);
    if (auto written = host::writePng(options.sheet, *sheet); !written)
      return fail(written.error().message);
  }
  if (auto written = host::writeFile(options.output, std::string_view(table)); !written)
    return fail(written.error().message);
  if (options.json) {
    host::JsonWriter json;
    json.beginObject().member("network", networkName(*network)).member("target", (*target)->describe());
    json.member("pictures", data->size()).member("skipped", data->skipped().size()).member("output", options.output);
    json.array("classes", tally.classes()).member("mean_probability", tally.meanProbability());
    llvm::outs() << json.endObject().text() << "\n";
  } else {
    llvm::outs() << data->size() << (data->size() == 1 ? " picture" : " pictures") << " to " << options.output
                 << "\n\n";
    tally.print(*names);
  }
  return 0;
}

} // namespace cnn
