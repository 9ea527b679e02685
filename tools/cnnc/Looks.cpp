// See Looks.h.
#include "tools/cnnc/Looks.h"

#include "runtime/host/training/Sheets.h"
#include "tools/cnnc/Driver.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;

namespace cnn {
namespace {

/// A label may be any text; a file's name is made of letters, digits, '.', '_' and '-'.
std::string fileOf(const std::string &folder, StringRef path) {
  std::string name = path.str();
  for (char &letter : name)
    if (!llvm::isAlnum(letter) && !StringRef("._-").contains(letter))
      letter = '_';
  return folder + "/" + name + ".png";
}

host::Result<void> createFolder(const std::string &folder) {
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return host::makeError("{}: {}", folder, code.message());
  return {};
}

bool hasPictures(RankedTensorType type) {
  return type.getRank() == 4 && type.getElementType().isF32() && type.getDimSize(2) * type.getDimSize(3) > 1;
}

} // namespace

std::vector<std::string> tapFeatureMaps(ModuleOp network) {
  auto infer = network.lookupSymbol<func::FuncOp>(kInferFunction);
  // The last operation of a path is the layer's result.
  llvm::MapVector<StringRef, Operation *> layers;
  for (Operation &op : infer.front().without_terminator())
    if (!getPath(&op).empty() && !isa<ConstantOp, BroadcastOp>(op))
      layers[getPath(&op)] = &op;
  std::vector<std::string> paths;
  for (auto [path, op] : layers)
    if (hasPictures(cast<RankedTensorType>(op->getResult(0).getType())))
      paths.push_back(path.str());
  for (const std::string &path : paths)
    (void)addTap(network, path);
  return paths;
}

host::Result<void> writeFeatureMaps(const std::string &folder, ArrayRef<std::string> paths, ArrayRef<Port> ports,
                                    ArrayRef<host::Tensor> outputs) {
  if (auto created = createFolder(folder); !created)
    return created.error();
  for (auto [port, tensor] : llvm::zip_equal(ports, outputs)) {
    if (!llvm::is_contained(paths, port.name))
      continue;
    auto sheet = host::featureMapSheet(port.name, tensor.view());
    if (!sheet)
      return sheet.error();
    if (auto written = host::writePng(fileOf(folder, port.name), *sheet); !written)
      return written.error();
  }
  return {};
}

host::Result<size_t> writeFilters(const std::string &folder, ModuleOp network, const Weights &weights) {
  if (auto created = createFolder(folder); !created)
    return created.error();
  size_t count = 0;
  for (auto parameter : network.getOps<ParamOp>()) {
    auto type = cast<RankedTensorType>(parameter.getType());
    if (!hasPictures(type))
      continue;
    FailureOr<reference::Tensor> values = weights(parameter.getSymName(), type);
    if (failed(values))
      return host::makeError("the values of '{}' cannot be read", parameter.getSymName().str());
    std::vector<float> floats(values->values.begin(), values->values.end());
    auto tensor = host::Tensor::fromFloats({type.getShape().begin(), type.getShape().end()}, floats);
    auto sheet = host::filterSheet(parameter.getSymName().str(), tensor.view());
    if (!sheet)
      return sheet.error();
    if (auto written = host::writePng(fileOf(folder, parameter.getSymName()), *sheet); !written)
      return written.error();
    ++count;
  }
  if (count == 0)
    return host::makeError("{}: the network has no kernels of more than one pixel to draw", folder);
  return count;
}

} // namespace cnn
