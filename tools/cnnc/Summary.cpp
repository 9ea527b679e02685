// `cnnc summary`: a network's layers, parameters, arithmetic and memory.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/Driver.h"
#include "tools/cnnc/Layers.h"
#include "tools/cnnc/Looks.h"
#include "tools/cnnc/Ports.h"
#include "tools/cnnc/Table.h"

#include "runtime/host/Json.h"

using namespace mlir;

namespace cnn {
namespace {

std::string fieldText(const Layer &layer) {
  if (!layer.receptiveField)
    return "";
  auto [rows, columns] = *layer.receptiveField;
  return std::to_string(rows) + " x " + std::to_string(columns);
}

std::vector<int64_t> withBatch(ArrayRef<int64_t> shape, int64_t batch) {
  std::vector<int64_t> result(shape);
  if (!result.empty() && ShapedType::isDynamic(result.front()))
    result.front() = batch;
  return result;
}

void printJson(ModuleOp network, const NetworkSummary &summary, int64_t batch, int64_t workspace) {
  host::JsonWriter json;
  json.beginObject().member("network", networkName(network)).member("batch", batch);
  json.member("parameters", summary.parameters).member("trainable_parameters", summary.parameters);
  json.member("multiply_adds", summary.multiplyAdds * batch).member("workspace_bytes", workspace);
  json.key("layers").beginArray();
  for (const Layer &layer : summary.layers) {
    json.beginObject().member("path", layer.path).member("op", layer.op);
    json.array("output_shape", withBatch(layer.shape, batch)).member("parameters", layer.parameters);
    json.member("multiply_adds", layer.multiplyAdds * batch);
    if (layer.receptiveField)
      json.array("receptive_field", *layer.receptiveField);
    json.endObject();
  }
  llvm::outs() << json.endArray().endObject().text() << "\n";
}

void printTable(ModuleOp network, const NetworkSummary &summary, int64_t batch, int64_t workspace) {
  auto infer = mainFunction(network);
  llvm::outs() << networkName(network) << "(";
  llvm::interleaveComma(inputsOf(infer), llvm::outs(),
                        [](const Port &port) { llvm::outs() << port.name << ": " << typeText(port.type); });
  llvm::outs() << ") -> (";
  llvm::interleaveComma(outputsOf(infer), llvm::outs(),
                        [](const Port &port) { llvm::outs() << port.name << ": " << typeText(port.type); });
  llvm::outs() << ")\n\n";
  using Align = Table::Align;
  Table table({{"layer", Align::Left},
               {"operation", Align::Left},
               {"output", Align::Left},
               {"parameters", Align::Right},
               {"multiply-adds", Align::Right},
               {"receptive field", Align::Right}});
  for (const Layer &layer : summary.layers)
    table.add({layer.path, layer.op, shapeText(withBatch(layer.shape, batch)), withSeparators(layer.parameters),
               withSeparators(layer.multiplyAdds * batch), fieldText(layer)});
  table.print(llvm::outs());
  llvm::outs() << "\nparameters:    " << withSeparators(summary.parameters)
               << "\nmultiply-adds: " << withSeparators(summary.multiplyAdds * batch) << " for a batch of " << batch
               << "\nworkspace:     " << bytesText(workspace) << " for a batch of " << batch << "\n";
}

} // namespace

int summaryCommand(ArrayRef<std::string> arguments) {
  NetworkOptions options;
  int64_t batch = 1;
  bool json = false;
  std::string filters;
  WeightOptions weightOptions;
  CommandLine line("cnnc summary", "Lists a network's layers with shapes, parameters, arithmetic and memory.");
  options.declare(line);
  weightOptions.declare(line);
  line.text("filters", "FOLDER", filters,
            "write the kernels of each convolution to FOLDER/PATH.png, for which weights are needed");
  line.number("batch", "N", batch, 1, int64_t(1) << 20, "images at a time (1)");
  line.flag("json", json, "print one line of JSON");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  bool hasWeights = !weightOptions.file.empty() || weightOptions.seed;
  if (!filters.empty() && !hasWeights)
    return line.misuse("'--filters' needs '--weights FILE' or '--random-weights SEED'");
  if (filters.empty() && hasWeights)
    return line.misuse("weights are for '--filters FOLDER': nothing else here depends on them");
  MLIRContext context;
  OwningOpRef<ModuleOp> network =
      filters.empty() ? loadNetworkOrBlock(context, options) : loadNetwork(context, options);
  if (!network)
    return 1;
  size_t drawn = 0;
  if (!filters.empty()) {
    auto weights = Weights::open(*network, weightOptions);
    if (!weights)
      return fail(weights.error().message);
    auto written = writeFilters(filters, *network, *weights);
    if (!written)
      return fail(written.error().message);
    drawn = *written;
  }
  NetworkSummary summary = summarize(*network);
  auto workspace = workspaceBytes(*network, batch);
  if (!workspace)
    return fail(workspace.error().message);
  (json ? printJson : printTable)(*network, summary, batch, *workspace);
  if (drawn && !json)
    llvm::outs() << "\nwrote " << drawn << (drawn == 1 ? " sheet" : " sheets") << " of filters to " << filters << "\n";
  return 0;
}

} // namespace cnn
