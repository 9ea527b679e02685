// Reads inputs from files and writes outputs to them; Ports.h has the contract.
#include "tools/cnnc/Ports.h"

#include "frontend/Diagnostics.h"
#include "ir/reference/Materialize.h"
#include "ir/reference/Philox.h"
#include "runtime/host/File.h"
#include "runtime/host/Npy.h"
#include "runtime/host/Picture.h"
#include "tools/cnnc/PreprocessSteps.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace mlir;

namespace cnn {
namespace {

using host::makeError;
using host::Result;
using host::Tensor;

/// [C, H, W] in f32 as [1, H, W, C] in u8, rounded.
Tensor interleaved(const Tensor &planes) {
  int64_t channels = planes.shape[0], pixels = planes.shape[1] * planes.shape[2];
  Tensor result = Tensor::zeros(host::DType::U8, {1, planes.shape[1], planes.shape[2], channels});
  std::span<const float> values = planes.floats();
  for (int64_t channel = 0; channel < channels; ++channel)
    for (int64_t pixel = 0; pixel < pixels; ++pixel)
      result.bytes[static_cast<size_t>(pixel * channels + channel)] = static_cast<uint8_t>(
          std::nearbyint(std::clamp(values[static_cast<size_t>(channel * pixels + pixel)], 0.0f, 255.0f)));
  return result;
}

Result<Tensor> readPicture(const std::string &file, const Port &port, host::DType dtype) {
  auto image = host::readImage(file);
  if (!image)
    return image.error();
  auto steps = decodePreprocess(port.preprocess);
  if (!steps)
    return steps.error();
  ArrayRef<int64_t> shape = port.type.getShape();
  if (dtype == host::DType::F32 && shape.size() == 4)
    *steps = stepsFor(*image, *steps, shape[1], port.pixels);
  auto tensor = host::preprocess(*image, *steps);
  if (!tensor)
    return makeError("{}: {}", file, tensor.error().message);
  if (dtype == host::DType::U8 && shape.size() == 4 && shape[3] == tensor->shape[0])
    return interleaved(*tensor);
  tensor->shape.insert(tensor->shape.begin(), 1);
  return tensor;
}

/// One file as a tensor of the port's element type with a batch dimension.
Result<Tensor> readInput(const std::string &file, const Port &port) {
  std::optional<host::DType> dtype = dtypeOf(port.type.getElementType());
  if (!dtype)
    return makeError("input '{}' is {}: no file holds such elements", port.name, typeText(port.type));
  if (llvm::sys::fs::is_directory(file))
    return makeError(
        "'{}' is a folder: input '{}' takes pictures or a .npy file; 'cnnc predict' takes folders of pictures", file,
        port.name);
  bool isNpy = StringRef(file).ends_with_insensitive(".npy");
  auto tensor = isNpy ? host::readNpy(file) : readPicture(file, port, *dtype);
  if (!tensor)
    return tensor.error();
  ArrayRef<int64_t> shape = port.type.getShape();
  bool hasBatch = port.type.isDynamicDim(0);
  if (hasBatch && tensor->shape.size() + 1 == shape.size())
    tensor->shape.insert(tensor->shape.begin(), 1);
  bool fits = tensor->shape.size() == shape.size();
  for (size_t i = hasBatch ? 1 : 0; fits && i < shape.size(); ++i)
    fits = tensor->shape[i] == shape[i];
  if (!fits || (hasBatch && tensor->shape[0] < 1)) {
    const char *hint = isNpy || port.preprocess ? "" : "; the network declares no preprocessing";
    return makeError("{} is {}, but input '{}' is {}{}", file, host::shapeText(tensor->shape), port.name,
                     typeText(port.type), hint);
  }
  if (tensor->dtype == *dtype)
    return tensor;
  return toHost(port.type.getElementType(), reference::Tensor(tensor->shape, tensor->view().toDoubles()));
}

/// Whether `argument` is `NAME=FILE`. A file's own name may have a '='; then a path or an ending stands before it.
bool namesPort(StringRef argument, ArrayRef<Port> ports) {
  StringRef name = argument.split('=').first;
  return argument.contains('=') && (llvm::any_of(ports, [&](const Port &port) { return port.name == name; }) ||
                                    !(name.contains('/') || name.contains('.')));
}

/// Of how many pictures each gets a caption with its index.
constexpr size_t kCaptioned = 64;

bool isPng(StringRef file) { return file.ends_with_insensitive(".png"); }

} // namespace

std::vector<Port> inputsOf(func::FuncOp function) {
  std::vector<Port> ports;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto name = function.getArgAttrOfType<StringAttr>(i, kInputAttr))
      ports.push_back({name.str(), cast<RankedTensorType>(function.getArgumentTypes()[i]),
                       function.getArgAttrOfType<ArrayAttr>(i, kPreprocessAttr)});
  return ports;
}

std::vector<Port> outputsOf(func::FuncOp function) {
  std::vector<Port> ports;
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (auto name = function.getResultAttrOfType<StringAttr>(i, kOutputAttr))
      ports.push_back({name.str(), cast<RankedTensorType>(function.getResultTypes()[i]), ArrayAttr()});
  return ports;
}

std::optional<host::DType> dtypeOf(Type type) {
  if (type.isF32())
    return host::DType::F32;
  if (type.isF64())
    return host::DType::F64;
  if (type.isF16())
    return host::DType::F16;
  if (type.isBF16())
    return host::DType::BF16;
  if (type.isUnsignedInteger(8))
    return host::DType::U8;
  if (type.isInteger(32) && !type.isUnsignedInteger())
    return host::DType::I32;
  if (type.isInteger(64) && !type.isUnsignedInteger())
    return host::DType::I64;
  return std::nullopt;
}

Tensor toHost(Type elementType, const reference::Tensor &tensor) {
  Tensor result = Tensor::zeros(*dtypeOf(elementType), {tensor.shape.begin(), tensor.shape.end()});
  reference::materialize(RankedTensorType::get(tensor.shape, elementType), tensor,
                         {reinterpret_cast<char *>(result.bytes.data()), result.bytes.size()});
  return result;
}

std::string typeText(RankedTensorType type) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto dtype = dtypeOf(type.getElementType()))
    stream << std::string(host::dtypeName(*dtype));
  else
    stream << type.getElementType();
  stream << "["
         << llvm::join(llvm::map_range(type.getShape(),
                                       [](int64_t extent) {
                                         return ShapedType::isDynamic(extent) ? std::string("N")
                                                                              : std::to_string(extent);
                                       }),
                       ", ")
         << "]";
  return text;
}

Result<std::pair<size_t, std::string>> matchPort(StringRef argument, ArrayRef<Port> ports, StringRef kind) {
  SmallVector<StringRef> names;
  for (const Port &port : ports)
    names.push_back(port.name);
  auto [name, file] = argument.split('=');
  if (namesPort(argument, ports)) {
    auto found = llvm::find(names, name);
    if (found == names.end())
      return makeError("the network has no {} '{}'{}; it has {}", kind.str(), name.str(), didYouMean(name, names),
                       listOfNames(names, "and"));
    if (file.empty())
      return makeError("'{}' names no file", argument.str());
    return std::pair(static_cast<size_t>(found - names.begin()), file.str());
  }
  if (ports.size() != 1)
    return makeError("'{}': say which {} it is, as in {}={}; the network has {}", argument.str(), kind.str(),
                     names.empty() ? "NAME" : names.front().str(), argument.str(),
                     names.empty() ? "none" : listOfNames(names, "and"));
  return std::pair(size_t(0), argument.str());
}

Result<std::vector<Tensor>> readInputs(ArrayRef<std::string> arguments, ArrayRef<Port> inputs, int64_t samples,
                                       uint64_t seed) {
  std::vector<std::vector<std::string>> files(inputs.size());
  for (const std::string &argument : arguments) {
    auto match = matchPort(argument, inputs, "input");
    if (!match)
      return match.error();
    files[match->first].push_back(match->second);
  }
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (files[i].empty() && samples > 0) {
      tensors.push_back(std::move(randomInputs(inputs[i], samples, seed).front()));
      continue;
    }
    if (files[i].empty())
      return makeError("input '{0}' ({1}) is missing: --input {0}=FILE", inputs[i].name, typeText(inputs[i].type));
    std::optional<Tensor> joined;
    for (const std::string &file : files[i]) {
      auto tensor = readInput(file, inputs[i]);
      if (!tensor)
        return tensor.error();
      if (!joined) {
        joined = std::move(*tensor);
        continue;
      }
      if (!inputs[i].type.isDynamicDim(0))
        return makeError("input '{}' is {}, without a batch: it takes one file", inputs[i].name,
                         typeText(inputs[i].type));
      joined->bytes.insert(joined->bytes.end(), tensor->bytes.begin(), tensor->bytes.end());
      joined->shape[0] += tensor->shape[0];
    }
    tensors.push_back(std::move(*joined));
  }
  std::optional<size_t> first;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].type.isDynamicDim(0))
      continue;
    if (first && tensors[i].shape[0] != tensors[*first].shape[0])
      return makeError("input '{}' has a batch of {}, but input '{}' has {}", inputs[i].name, tensors[i].shape[0],
                       inputs[*first].name, tensors[*first].shape[0]);
    first = first.value_or(i);
  }
  return tensors;
}

std::vector<Tensor> randomInputs(ArrayRef<Port> inputs, int64_t batch, uint64_t seed) {
  std::vector<Tensor> tensors;
  for (const Port &port : inputs) {
    reference::Shape shape(port.type.getShape());
    if (port.type.isDynamicDim(0))
      shape[0] = batch;
    bool isFloat = isa<FloatType>(port.type.getElementType());
    reference::Draws draws(seed, port.name, /*step=*/0);
    reference::Tensor values(shape);
    for (int64_t i = 0; i < values.elements(); ++i) {
      uint32_t word = draws.words(static_cast<uint64_t>(i / 4))[static_cast<size_t>(i % 4)];
      values.data()[i] = isFloat ? reference::toNormal(word) : word >> 24;
    }
    tensors.push_back(toHost(port.type.getElementType(), values));
  }
  return tensors;
}

Result<OutputFile> matchOutput(StringRef argument, ArrayRef<Port> outputs) {
  if (outputs.size() > 1 && isPng(argument) && !namesPort(argument, outputs)) {
    OutputFile file{{}, argument.str()};
    for (size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].type.getRank() == 4)
        file.ports.push_back(i);
    if (!file.ports.empty())
      return file;
  }
  auto match = matchPort(argument, outputs, "output");
  if (!match)
    return match.error();
  return OutputFile{{match->first}, match->second};
}

Result<void> writeOutputs(const OutputFile &file, ArrayRef<Port> ports, ArrayRef<Tensor> tensors) {
  const std::string &path = file.path;
  if (StringRef(path).ends_with_insensitive(".npy"))
    return host::writeNpy(path, tensors[file.ports.front()].view());
  if (!isPng(path))
    return makeError("{}: outputs are written as .npy or .png", path);
  std::vector<host::LabelledPicture> pictures;
  for (size_t port : file.ports) {
    const Tensor &tensor = tensors[port];
    if (tensor.shape.size() != 4)
      return makeError("{}: output '{}' is {}; a picture is made of four dimensions", path, ports[port].name,
                       host::shapeText(tensor.shape));
    auto made = host::picturesOf(ports[port].name, tensor.view());
    if (!made)
      return made.error();
    std::move(made->begin(), made->end(), std::back_inserter(pictures));
  }
  if (pictures.size() == 1)
    return host::writePng(path, pictures.front().image);
  // Several outputs of a batch are a row each; many pictures of one output are shown without captions.
  bool areRows = file.ports.size() > 1 && tensors[file.ports.front()].shape.front() > 1 &&
                 pictures.size() % file.ports.size() == 0;
  auto sheet = file.ports.size() == 1 && pictures.size() > kCaptioned
                   ? host::mosaic(pictures)
                   : host::contactSheet(pictures, areRows ? static_cast<int>(pictures.size() / file.ports.size()) : 0);
  if (!sheet)
    return sheet.error();
  return host::writePng(path, *sheet);
}

} // namespace cnn
