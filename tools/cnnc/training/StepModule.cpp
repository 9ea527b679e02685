// What all ways to run a step share; StepModule.h has the contract.
#include "tools/cnnc/training/StepModule.h"

#include <cstring>

using namespace cnn;
using host::DType;
using host::Tensor;
using llvm::ArrayRef;
using llvm::StringRef;

host::Result<std::unique_ptr<StepModule>> StepModule::create(mlir::ModuleOp module, const TargetChoice &choice,
                                                             bool exact) {
  return choice.isReference ? createReferenceStep(module, choice.scalesLoss)
                            : createCompiledStep(module, choice, exact);
}

std::optional<size_t> StepModule::output(StringRef name) const {
  for (size_t i = 0; i < outputTensors.size(); ++i)
    if (outputTensors[i].name == name)
      return i;
  return std::nullopt;
}

StepCall::StepCall(const StepModule &module, int64_t maxBatch) : module(module) {
  for (const TensorInfo &info : module.outputs()) {
    std::vector<int64_t> shape = info.shape;
    if (info.batched)
      shape.insert(shape.begin(), maxBatch);
    outputs.push_back(Tensor::zeros(info.dtype, shape));
  }
  for (Tensor &output : outputs)
    outputData.push_back(output.bytes.data());
  for (const TensorInfo &info : module.hypers())
    hypers.push_back(Tensor::zeros(info.dtype, info.shape));
}

/// Stores the number in whatever type the tensor has.
template <typename Number> static void store(Tensor &tensor, Number value) {
  auto put = [&](auto converted) { std::memcpy(tensor.bytes.data(), &converted, sizeof converted); };
  switch (tensor.dtype) {
  case DType::F32:
    return put(static_cast<float>(value));
  case DType::F64:
    return put(static_cast<double>(value));
  case DType::I32:
    return put(static_cast<int32_t>(value));
  case DType::I64:
    return put(static_cast<int64_t>(value));
  case DType::F16:
    return put(host::floatToHalf(static_cast<float>(value)));
  case DType::BF16:
    return put(host::floatToBfloat(static_cast<float>(value)));
  case DType::U8:
    return put(static_cast<uint8_t>(value));
  }
}

void StepCall::setHyper(StringRef name, double value) {
  for (size_t i = 0; i < hypers.size(); ++i)
    if (module.hypers()[i].name == name)
      store(hypers[i], value);
}

void StepCall::setHyper(StringRef name, int64_t value) {
  for (size_t i = 0; i < hypers.size(); ++i)
    if (module.hypers()[i].name == name)
      store(hypers[i], value);
}

llvm::SmallVector<const void *> StepCall::arguments(ArrayRef<const void *> inputs) const {
  llvm::SmallVector<const void *> all(inputs);
  for (const Tensor &hyper : hypers)
    all.push_back(hyper.bytes.data());
  return all;
}

host::Result<void> StepCall::run(StepSession &session, int64_t count, ArrayRef<const void *> inputs) {
  batch = count;
  return session.run(count, arguments(inputs), outputData);
}

host::Result<std::string> StepCall::findNotFinite(StepSession &session, int64_t count, ArrayRef<const void *> inputs) {
  batch = count;
  return session.findNotFinite(count, arguments(inputs), outputData);
}

host::TensorView StepCall::output(size_t index) const {
  host::TensorView view = outputs[index].view();
  const TensorInfo &info = module.outputs()[index];
  if (!info.batched)
    return view;
  view.shape.front() = batch;
  view.bytes = view.bytes.first(static_cast<size_t>(*host::byteCount(view.shape, view.dtype)));
  return view;
}
