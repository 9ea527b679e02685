// `cnnc eval`: the figures of a train block over a data set.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Table.h"
#include "tools/cnnc/training/Evaluator.h"
#include "tools/cnnc/training/ReportedPictures.h"
#include "tools/cnnc/training/SavedState.h"
#include "tools/cnnc/training/TrainingSetup.h"

#include "runtime/host/Cpus.h"
#include "runtime/host/Json.h"
#include "runtime/host/training/Sheets.h"

#include <cmath>

using namespace mlir;

namespace cnn {
namespace {

struct EvalOptions {
  std::string net, confusion, worst, pictures, split = "test";
  DataOptions data;
  WeightOptions weights;
  TargetOptions target;
  int64_t batch = 256, copies = 0, seed = -1, overlap = -1;
  bool json = false;
};

/// The scores and labels that the worst images are judged by: the operands of the first report of classes.
const TrainingReport *classifier(const TrainingProgram &program) {
  for (const TrainingReport &report : program.reports)
    if (report.classes > 1 && report.operands.size() == 2 && !report.operands[0].isInput)
      return &report;
  return nullptr;
}

/// Keeps the samples of a batch that are classified most wrongly.
void judge(const host::Batch &batch, const host::TensorView &scores, const host::TensorView &labels,
           const host::Dataset &data, host::WorstImages &worst) {
  std::vector<float> all = scores.toFloats();
  std::vector<double> classes = labels.toDoubles();
  size_t count = static_cast<size_t>(scores.shape[1]);
  if (count == 1) { // a logit of class 1: class 0 has the score 0
    std::vector<float> pairs;
    for (float score : all)
      pairs.insert(pairs.end(), {0.0f, score});
    all = std::move(pairs);
    count = 2;
  }
  for (size_t i = 0; i < static_cast<size_t>(batch.count); ++i) {
    std::span<const float> own(all.data() + i * count, count);
    int64_t actual = std::llround(classes[i]), predicted = host::predictedClass(own);
    if (predicted == actual || actual < 0)
      continue;
    double largest = *std::max_element(own.begin(), own.end()), sum = 0;
    for (float score : own)
      sum += std::exp(score - largest);
    double loss = std::log(sum) + largest - own[static_cast<size_t>(actual)];
    if (!worst.wants(loss, batch.samples[i]))
      continue;
    auto image = data.picture(batch.samples[i]);
    if (!image)
      continue;
    double share = predicted < 0 ? 0 : std::exp(own[static_cast<size_t>(predicted)] - largest) / sum;
    worst.add({batch.samples[i], loss, actual, predicted, share, std::move(*image)});
  }
}

/// The data as it is, or, where masks are of pictures of other sizes or --overlap is given, in tiles.
host::Result<host::Dataset> openWholeOrTiles(const EvalOptions &options, host::DatasetOptions opening) {
  if (options.overlap >= 0) {
    opening.overlap = options.overlap;
    return host::openDataset(options.data.data, opening);
  }
  auto mask = llvm::find_if(opening.fields,
                            [](const host::Field &field) { return field.classes > 0 && field.shape.size() == 2; });
  auto image = llvm::find_if(opening.fields, [](const host::Field &field) {
    return field.classes == 0 && field.shape.size() == 3 && field.dtype == host::DType::F32;
  });
  if (mask == opening.fields.end() || image == opening.fields.end() || host::changesSize(*image))
    return host::openDataset(options.data.data, opening);
  // Sizes are known only from the pictures. What cannot be tiled is said to be wrong by the data set as it is.
  int64_t height = image->shape[1], width = image->shape[2];
  host::DatasetOptions tiles = opening;
  tiles.overlap = std::min(height, width) / 4;
  auto tiled = host::openDataset(options.data.data, tiles);
  for (int64_t i = 0; tiled && i < tiled->size(); ++i)
    if (tiled->tile(i)->size != std::array{height, width})
      return tiled;
  return host::openDataset(options.data.data, opening);
}

} // namespace

int evalCommand(ArrayRef<std::string> arguments) {
  EvalOptions options;
  CommandLine line("cnnc eval", "Evaluates the networks of a train block: its losses and what it reports.");
  line.positional("NET", options.net, "FILE.cnn, or FILE.cnn:NAME where the file holds several train blocks");
  options.data.declare(line);
  options.weights.declare(line);
  options.target.declare(line);
  line.text("split", "PART", options.split, "test, validation or train (test)");
  line.number("batch", "N", options.batch, 1, int64_t(1) << 20, "samples at a time (256)");
  line.number(
      "overlap", "N", options.overlap, 0, 1 << 20,
      "masks: pictures of any size by tiles, N pixels on each side of which their neighbours tell (a quarter of "
      "the tile, where a picture is of another size than the input)");
  line.number("tta", "K", options.copies, 1, 1000, "average the outputs with those of K augmented copies");
  line.number("seed", "N", options.seed, 0, int64_t(1) << 52, "of the augmentation, and of the share to validate");
  line.text("confusion", "FILE", options.confusion, "draw the confusion matrix as .png");
  line.text("worst", "FILE", options.worst, "a sheet of the worst-classified images as .png");
  line.text("pictures", "FILE", options.pictures,
            "a sheet of the first samples: the pictures that go in and those that the block reports on, as .png");
  line.flag("json", options.json, "print one line of JSON");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  if (std::string problem = options.data.problem(); !problem.empty())
    return line.misuse(problem);
  host::Split split = host::Split::Test;
  if (options.split == "validation")
    split = host::Split::Validation;
  else if (options.split == "train")
    split = host::Split::Train;
  else if (options.split != "test")
    return line.misuse("'--split' is '" + options.split + "': test, validation or train is expected");
  auto choice = TargetChoice::parse(options.target.target, /*all=*/false);
  if (!choice)
    return line.misuse(choice.error().message);
  int64_t threads = options.target.threads ? options.target.threads : host::usableCpus();
  for (const std::string &path : {options.confusion, options.worst, options.pictures})
    if (!path.empty())
      if (auto good = checkOutputPath(path); !good)
        return fail(good.error().message);

  MLIRContext context;
  std::vector<std::pair<std::string, double>> settings;
  if (options.seed >= 0)
    settings.push_back({"seed", static_cast<double>(options.seed)});
  TrainingProgram program = loadTrainBlock(context, options.net, settings);
  if (!program)
    return 1;
  TrainingSettings chosen = settingsOf(program);
  if (options.copies && !program.augment)
    return fail("'" + program.name + "' augments nothing: --tta has nothing to average");
  // The matrix can be had wherever there are classes.
  if (const TrainingReport *figure = classifier(program); figure && !options.confusion.empty())
    program.reports.push_back({"confusion", "confusion", figure->operands, figure->classes, figure->settings});
  const TrainingReport *judged = classifier(program);
  if (!options.worst.empty() && !judged)
    return fail("'" + program.name + "' reports nothing that classifies: --worst has nothing to show");
  auto weights = Weights::open(*program.evaluate, options.weights);
  if (!weights)
    return fail(weights.error().message);
  if (auto adopted = options.data.adopt(options.weights.file); !adopted)
    return fail(adopted.error().message);
  auto dataset = options.data.dataset(program.inputs, threads);
  if (!dataset)
    return fail(dataset.error().message);
  dataset->split = split;
  dataset->validation = split == host::Split::Test ? 0 : chosen.validation;
  dataset->seed = chosen.seed;
  if (!options.weights.file.empty()) {
    auto names = classNamesOf(options.weights.file);
    if (!names)
      return fail(names.error().message);
    dataset->classNames = std::move(*names);
  }
  auto data = openWholeOrTiles(options, *dataset);
  if (!data)
    return fail(data.error().message);
  reportSkipped(*data);
  if (auto chosenSamples = options.data.choose(*data))
    data = std::move(chosenSamples);
  else
    return fail(chosenSamples.error().message);

  auto evaluate = StepModule::create(*program.evaluate, *choice, options.target.exact);
  if (!evaluate)
    return fail(evaluate.error().message);
  std::unique_ptr<StepModule> augment;
  if (options.copies) {
    auto made = StepModule::create(*program.augment, *choice, options.target.exact);
    if (!made)
      return fail(made.error().message);
    augment = std::move(*made);
  }
  EvaluatorOptions evaluation{options.batch, static_cast<int>(threads), options.data.workersFor(threads),
                              options.copies, chosen.seed};
  auto evaluator = Evaluator::create(program, **evaluate, augment.get(), evaluation, data->classNames());
  if (!evaluator)
    return fail(evaluator.error().message);
  if (auto done = setState((*evaluator)->state(), **evaluate, *weights); !done)
    return fail(done.error().message);

  if (!options.worst.empty() &&
      (*evaluate)->outputs()[*(*evaluate)->output(judged->operands[0].name)].shape.size() != 1)
    return fail("'" + program.name + "' reports no classes of images: --worst has nothing to show");
  constexpr size_t kWorst = 36;
  host::WorstImages worst(kWorst);
  auto binding = BatchBinding::create(**evaluate, program.inputs, nullptr);
  if (!binding)
    return fail(binding.error().message);
  ReportedPictures shown(program, **evaluate, *binding);
  if (!options.pictures.empty() && shown.rows() < 2)
    return fail("'" + program.name +
                "' reports on no pictures: --pictures shows those that psnr or another report takes");
  auto look = [&](const host::Batch &batch, const StepCall &call) {
    if (!options.pictures.empty())
      shown.add(batch, call, data->classNames());
    if (options.worst.empty())
      return;
    const ReportOperand &label = judged->operands[1];
    host::TensorView labels =
        label.isInput ? binding->find(batch, label.name) : call.output(*(*evaluate)->output(label.name));
    host::TensorView scores = call.output(*(*evaluate)->output(judged->operands[0].name));
    if (scores.shape.size() == 2)
      judge(batch, scores, labels, *data, worst);
  };
  if (auto done = (*evaluator)->run(*data, look); !done)
    return fail(done.error().message);

  const Reports &reports = (*evaluator)->reports();
  const host::ConfusionMatrix *matrix = reports.confusion();
  if (!options.confusion.empty()) {
    if (!matrix)
      return fail("'" + program.name + "' reports nothing that classifies: --confusion has nothing to show");
    auto picture = matrix->picture();
    if (!picture)
      return fail(picture.error().message);
    if (auto written = host::writePng(options.confusion, *picture); !written)
      return fail(written.error().message);
  }
  // A file of that name from before is of another evaluation.
  if (!options.worst.empty() && worst.images().empty()) {
    llvm::errs() << "no image was classified wrongly: " << options.worst << " was not written\n";
  } else if (!options.worst.empty()) {
    auto sheet = worst.sheet(data->classNames());
    if (!sheet)
      return fail(sheet.error().message);
    if (auto written = host::writePng(options.worst, *sheet); !written)
      return fail(written.error().message);
  }
  if (!options.pictures.empty())
    if (auto written = shown.write(options.pictures); !written)
      return fail(written.error().message);
  if (options.json) {
    host::JsonWriter json;
    json.beginObject().member("network", program.name).member("target", (*evaluate)->describe());
    json.member("samples", reports.samples()).member("loss", reports.loss()).key("metrics").beginObject();
    for (const host::NamedValue &value : reports.values())
      json.member(value.first, value.second);
    llvm::outs() << json.endObject().member("skipped", data->skipped().size()).endObject().text() << "\n";
    return 0;
  }
  llvm::outs() << program.name << " on " << (*evaluate)->describe() << ", " << withSeparators(reports.samples())
               << " samples (" << data->format() << ")";
  if (data->tile(0))
    llvm::outs() << ", " << withSeparators(data->size()) << " tiles";
  llvm::outs() << "\n\n";
  Table table({{"figure", Table::Align::Left}, {"value", Table::Align::Right}});
  table.add({"loss", fmt::format("{:.6f}", reports.loss())});
  for (const host::NamedValue &value : reports.values())
    table.add({value.first, fmt::format("{:.6f}", value.second)});
  table.print(llvm::outs());
  if (matrix)
    llvm::outs() << "\n" << matrix->table();
  return 0;
}

} // namespace cnn
