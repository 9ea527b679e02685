// `cnnc run`: inputs from files, outputs as tables, best classes, tensors and pictures.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Looks.h"
#include "tools/cnnc/Table.h"
#include "tools/cnnc/Target.h"
#include "tools/cnnc/training/SavedState.h"

#include "runtime/host/Json.h"
#include "runtime/host/Labels.h"

#include <algorithm>
#include <chrono>
#include <cmath>

using namespace mlir;

namespace cnn {
namespace {

struct RunOptions {
  NetworkOptions network;
  WeightOptions weights;
  TargetOptions target;
  std::vector<std::string> inputs, outputs;
  std::string labels, featureMaps;
  int64_t top = 5, samples = 0;
  std::optional<uint64_t> seed;
  bool json = false;
};

/// A class of an image's prediction.
struct Prediction {
  int64_t index;
  std::string label;
  float score;
  /// The score's share under softmax; the score itself where the network ends in one.
  double probability;
};

/// The best classes of each image, when the tensor is a vector of scores an image.
std::vector<std::vector<Prediction>> predict(const host::Tensor &scores, bool areProbabilities, size_t count,
                                             ArrayRef<std::string> labels) {
  std::vector<std::vector<Prediction>> images;
  size_t classes = static_cast<size_t>(scores.shape[1]);
  std::vector<float> values = scores.view().toFloats();
  for (size_t begin = 0; begin + classes <= values.size(); begin += classes) {
    std::span<const float> image(values.data() + begin, classes);
    double largest = *std::max_element(image.begin(), image.end()), sum = 0;
    for (float score : image)
      sum += std::exp(static_cast<double>(score) - largest);
    std::vector<Prediction> predictions;
    for (host::Score score : host::topScores(image, count)) {
      size_t index = static_cast<size_t>(score.index);
      double share = areProbabilities ? score.value : std::exp(static_cast<double>(score.value) - largest) / sum;
      predictions.push_back({score.index, index < labels.size() ? labels[index] : "", score.value, share});
    }
    images.push_back(std::move(predictions));
  }
  return images;
}

/// Runs a large batch a part at a time, so that the workspace stays small.
host::Result<std::vector<host::Tensor>> runInParts(Target &target, ArrayRef<host::Tensor> inputs,
                                                   ArrayRef<Port> inputPorts, ArrayRef<Port> outputPorts) {
  constexpr int64_t kPart = 256;
  auto isBatched = [](const Port &port) { return port.type.isDynamicDim(0); };
  if (inputs.empty() || inputs.front().shape.empty() || inputs.front().shape.front() <= kPart ||
      !llvm::all_of(inputPorts, isBatched) || !llvm::all_of(outputPorts, isBatched))
    return target.run(inputs);
  int64_t batch = inputs.front().shape.front();
  std::vector<host::Tensor> results;
  for (int64_t begin = 0; begin < batch; begin += kPart) {
    int64_t count = std::min(kPart, batch - begin);
    std::vector<host::Tensor> part;
    for (const host::Tensor &input : inputs) {
      std::vector<int64_t> shape = input.shape;
      shape.front() = count;
      part.push_back(host::Tensor::zeros(input.dtype, shape));
      size_t each = input.bytes.size() / static_cast<size_t>(batch);
      auto from = input.bytes.begin() + static_cast<ptrdiff_t>(each * static_cast<size_t>(begin));
      std::copy_n(from, part.back().bytes.size(), part.back().bytes.begin());
    }
    auto outputs = target.run(part);
    if (!outputs)
      return outputs;
    if (begin == 0) {
      results = std::move(*outputs);
      continue;
    }
    for (auto [whole, own] : llvm::zip_equal(results, *outputs)) {
      whole.bytes.insert(whole.bytes.end(), own.bytes.begin(), own.bytes.end());
      whole.shape.front() += count;
    }
  }
  return results;
}

bool isScores(const host::Tensor &tensor) {
  bool isFloat = tensor.dtype == host::DType::F32 || tensor.dtype == host::DType::F64 ||
                 tensor.dtype == host::DType::F16 || tensor.dtype == host::DType::BF16;
  return isFloat && tensor.shape.size() == 2 && tensor.shape[1] > 1 && tensor.shape[0] > 0;
}

void printOutputs(ArrayRef<Port> ports, ArrayRef<host::Tensor> outputs) {
  Table table({{"output", Table::Align::Left},
               {"shape", Table::Align::Left},
               {"smallest", Table::Align::Right},
               {"largest", Table::Align::Right},
               {"mean", Table::Align::Right}});
  for (auto [port, tensor] : llvm::zip_equal(ports, outputs)) {
    std::vector<double> values = tensor.view().toDoubles();
    double sum = 0, smallest = values.empty() ? 0 : values[0], largest = smallest;
    for (double value : values) {
      sum += value;
      smallest = std::min(smallest, value);
      largest = std::max(largest, value);
    }
    double mean = values.empty() ? 0 : sum / static_cast<double>(values.size());
    table.add({port.name, shapeText(tensor.shape), fmt::format("{:.6g}", smallest), fmt::format("{:.6g}", largest),
               fmt::format("{:.6g}", mean)});
  }
  table.print(llvm::outs());
  for (auto [port, tensor] : llvm::zip_equal(ports, outputs)) {
    if (tensor.elements() > 16)
      continue;
    llvm::outs() << "\n" << port.name << ":";
    for (double value : tensor.view().toDoubles())
      llvm::outs() << fmt::format(" {:.6g}", value);
    llvm::outs() << "\n";
  }
}

void printPredictions(ArrayRef<std::vector<Prediction>> images, bool areProbabilities) {
  for (size_t image = 0; image < images.size(); ++image) {
    llvm::outs() << "\n";
    if (images.size() > 1)
      llvm::outs() << "image " << image << "\n";
    std::vector<Table::Column> columns = {{"class", Table::Align::Right},
                                          {"label", Table::Align::Left},
                                          {areProbabilities ? "probability" : "score", Table::Align::Right}};
    if (!areProbabilities)
      columns.push_back({"softmax", Table::Align::Right});
    Table table(columns);
    for (const Prediction &prediction : images[image]) {
      std::vector<std::string> cells = {std::to_string(prediction.index), prediction.label,
                                        fmt::format("{:.4f}", prediction.score)};
      if (!areProbabilities)
        cells.push_back(fixed(prediction.probability, 4));
      table.add(cells);
    }
    table.print(llvm::outs());
  }
  llvm::outs() << (areProbabilities ? "The score is the network's output, a probability.\n"
                                    : "The score is the network's output, a logit; softmax is its share.\n");
}

void writePredictions(host::JsonWriter &json, ArrayRef<Prediction> predictions) {
  json.beginArray();
  for (const Prediction &prediction : predictions) {
    json.beginObject().member("index", prediction.index).member("label", prediction.label);
    json.member("score", prediction.score).member("probability", prediction.probability).endObject();
  }
  json.endArray();
}

/// Whether the first result of @infer is computed by a softmax.
bool endsInSoftmax(ModuleOp network) {
  auto infer = network.lookupSymbol<func::FuncOp>(kInferFunction);
  return isa_and_nonnull<SoftmaxOp>(infer.front().getTerminator()->getOperand(0).getDefiningOp());
}

} // namespace

int runCommand(ArrayRef<std::string> arguments) {
  RunOptions options;
  std::vector<std::string> taps;
  CommandLine line("cnnc run",
                   "Computes a network's outputs. Pictures go through the preprocessing that the network declares.");
  options.network.declare(line);
  options.weights.declare(line);
  line.list("input", "[INPUT=]FILE", options.inputs, "a picture (PNG, JPEG) or a tensor (.npy); several make a batch");
  line.number("samples", "N", options.samples, 1, 1000000,
              "draw N values of each input that has no file, from the standard normal distribution");
  line.seed("seed", "S", options.seed, "of what --samples draws (0)");
  line.list("output", "[OUTPUT=]FILE", options.outputs,
            "write an output as .npy or as a picture to .png; without OUTPUT=, a .png shows all pictures");
  line.text("labels", "FILE", options.labels, "names of the classes, one a line");
  line.number("top", "K", options.top, 1, 1000000, "how many classes to print (5)");
  line.list("tap", "PATH[=FILE]", taps, "make the value of a layer an output of that name, and write it to FILE.npy");
  line.text("feature-maps", "FOLDER", options.featureMaps,
            "write what each layer makes of the first image to FOLDER/PATH.png, a picture a channel");
  options.target.declare(line);
  line.flag("json", options.json, "print one line of JSON");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  if (auto choice = TargetChoice::parse(options.target.target, /*all=*/false); !choice)
    return line.misuse(choice.error().message);
  if (options.seed && !options.samples)
    return line.misuse("'--seed' needs --samples N: without it nothing is drawn");
  for (const std::string &tap : taps) {
    options.network.taps.push_back(tap.substr(0, tap.find('=')));
    if (tap.find('=') != std::string::npos)
      options.outputs.push_back(tap);
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> network = loadNetwork(context, options.network);
  if (!network)
    return 1;
  auto infer = network->lookupSymbol<func::FuncOp>(kInferFunction);
  std::vector<Port> inputPorts = inputsOf(infer), outputPorts = outputsOf(infer);
  std::vector<std::string> looked;
  std::vector<Port> allPorts = outputPorts;
  if (!options.featureMaps.empty()) {
    looked = tapFeatureMaps(*network);
    if (looked.empty())
      return fail("no layer of the network makes images of more than one pixel: there are no feature maps");
    allPorts = outputsOf(infer);
  }
  // All that can be wrong with files is found before the compiler starts.
  std::vector<OutputFile> files;
  for (const std::string &argument : options.outputs) {
    auto match = matchOutput(argument, outputPorts);
    if (!match)
      return fail(match.error().message);
    files.push_back(std::move(*match));
  }
  std::vector<std::string> labels;
  if (!options.labels.empty()) {
    auto read = host::readLabels(options.labels);
    if (!read)
      return fail(read.error().message);
    labels = std::move(*read);
  } else if (!options.weights.file.empty()) {
    // Those that training kept with the weights; a file that is none is the weights' error below.
    if (auto kept = classNamesOf(options.weights.file))
      labels = std::move(*kept);
  }
  if (!options.weights.file.empty())
    if (auto kept = pixelsOf(options.weights.file); kept && *kept)
      for (Port &port : inputPorts)
        port.pixels = **kept;
  auto inputs = readInputs(options.inputs, inputPorts, options.samples, options.seed.value_or(0));
  if (!inputs)
    return fail(inputs.error().message);
  auto weights = Weights::open(*network, options.weights);
  if (!weights)
    return fail(weights.error().message);
  bool areProbabilities = endsInSoftmax(*network);
  auto target = createTarget(*network, *weights, options.target);
  if (!target)
    return fail(target.error().message);
  auto start = std::chrono::steady_clock::now();
  auto outputs = runInParts(**target, *inputs, inputPorts, allPorts);
  std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  if (!outputs)
    return fail(outputs.error().message);
  for (const OutputFile &file : files)
    if (auto written = writeOutputs(file, outputPorts, ArrayRef(*outputs).take_front(outputPorts.size())); !written)
      return fail(written.error().message);

  if (!looked.empty())
    if (auto written = writeFeatureMaps(options.featureMaps, looked, allPorts, *outputs); !written)
      return fail(written.error().message);
  outputs->resize(outputPorts.size());

  std::vector<std::vector<Prediction>> predictions;
  if (isScores(outputs->front())) {
    // Names kept with weights of several networks may be another one's.
    if (options.labels.empty() && static_cast<int64_t>(labels.size()) != outputs->front().shape[1])
      labels.clear();
    if (!labels.empty() && static_cast<int64_t>(labels.size()) != outputs->front().shape[1])
      return fail(fmt::format("{} has {} labels, but the network has {} classes", options.labels, labels.size(),
                              outputs->front().shape[1]));
    predictions = predict(outputs->front(), areProbabilities, static_cast<size_t>(options.top), labels);
  }
  if (options.json) {
    host::JsonWriter json;
    json.beginObject().member("network", networkName(*network));
    json.member("target", (*target)->describe()).key("outputs").beginArray();
    for (auto [port, tensor] : llvm::zip_equal(outputPorts, *outputs))
      json.beginObject().member("name", port.name).array("shape", tensor.shape).endObject();
    json.endArray();
    if (!predictions.empty()) {
      json.member("score", areProbabilities ? "probability" : "logit").key("top");
      writePredictions(json, predictions.front());
      if (predictions.size() > 1) {
        json.key("images").beginArray();
        for (const auto &image : predictions)
          writePredictions(json, image);
        json.endArray();
      }
    }
    llvm::outs() << json.endObject().text() << "\n";
    return 0;
  }
  llvm::outs() << networkName(*network) << " on " << (*target)->describe() << ", " << fixed(elapsed.count(), 1)
               << " ms\n\n";
  printOutputs(outputPorts, *outputs);
  if (!looked.empty())
    llvm::outs() << "\nwrote " << looked.size() << (looked.size() == 1 ? " sheet" : " sheets") << " of feature maps to "
                 << options.featureMaps << "\n";
  if (!predictions.empty())
    printPredictions(predictions, areProbabilities);
  return 0;
}

} // namespace cnn
