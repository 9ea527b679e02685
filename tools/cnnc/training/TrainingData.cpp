// Fields, bindings and augmentation; TrainingData.h has the contract.
#include "tools/cnnc/training/TrainingData.h"

#include "ir/reference/Philox.h"
#include "tools/cnnc/PreprocessSteps.h"

#include <cstring>

using namespace mlir;

namespace cnn {

using host::Batch;
using host::Tensor;

host::Result<std::vector<host::Field>> fieldsOf(ArrayRef<TrainingInput> inputs) {
  std::vector<host::Field> fields;
  for (const TrainingInput &input : inputs) {
    host::Field field;
    field.name = input.name;
    std::optional<host::DType> dtype = dtypeOf(input.type.getElementType());
    if (!dtype)
      return host::makeError("input '{}' is {}, which no data has", input.name, typeText(input.type));
    field.dtype = *dtype;
    field.shape = input.type.getShape().drop_front().vec();
    field.classes = input.classes;
    auto steps = decodePreprocess(input.preprocess);
    if (!steps)
      return steps.error();
    field.preprocess = std::move(*steps);
    fields.push_back(std::move(field));
  }
  return fields;
}

/// The input of the block with that name; nothing where there is none.
static std::optional<size_t> inputOf(ArrayRef<TrainingInput> inputs, StringRef name) {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].name == name)
      return i;
  return std::nullopt;
}

std::vector<Tensor> randomStepInputs(const Program &step, ArrayRef<TrainingInput> inputs, int64_t batch) {
  std::vector<Tensor> tensors;
  for (const TensorInfo &info : step.inputs) {
    std::vector<int64_t> shape = info.shape;
    if (info.batched)
      shape.insert(shape.begin(), batch);
    Tensor tensor = Tensor::zeros(info.dtype, shape);
    std::optional<size_t> index = inputOf(inputs, info.name);
    int64_t classes = index ? inputs[*index].classes : 0;
    reference::Draws draws(/*seed=*/1, "input:" + info.name, /*step=*/0);
    for (int64_t i = 0; info.batched && i < tensor.elements(); ++i) {
      uint32_t word = draws.words(static_cast<uint64_t>(i) / 4)[static_cast<size_t>(i) % 4];
      uint8_t *to = tensor.bytes.data() + static_cast<size_t>(i) * host::dtypeBytes(info.dtype);
      if (info.dtype == host::DType::F32) {
        float value = static_cast<float>(reference::toUniform(word));
        std::memcpy(to, &value, sizeof value);
      } else if (info.dtype == host::DType::I64) {
        int64_t value = classes > 0 ? word % classes : 0;
        std::memcpy(to, &value, sizeof value);
      } else {
        std::memcpy(to, &word, std::min(sizeof word, host::dtypeBytes(info.dtype)));
      }
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

host::Result<BatchBinding> BatchBinding::create(const StepModule &module, ArrayRef<TrainingInput> inputs,
                                                const StepModule *augment) {
  BatchBinding binding;
  auto sourceOf = [&](StringRef name) -> std::optional<Source> {
    if (augment)
      if (std::optional<size_t> output = augment->output(name))
        return Source{name.str(), true, *output};
    if (std::optional<size_t> input = inputOf(inputs, name))
      return Source{name.str(), false, *input};
    return std::nullopt;
  };
  for (const TensorInfo &info : module.inputs()) {
    std::optional<Source> source = sourceOf(info.name);
    if (!source)
      return host::makeError("nothing gives the step's input '{}'", info.name);
    if (source->augmented && augment->outputs()[source->index].shape != info.shape)
      return host::makeError("the augmentation changes the size of '{}'", info.name);
    binding.inputs.push_back(*source);
  }
  for (const TrainingInput &input : inputs)
    binding.named.push_back(*sourceOf(input.name));
  return binding;
}

const Tensor &BatchBinding::tensorOf(const Batch &batch, const Source &source) {
  return source.augmented ? batch.extra[source.index] : batch.tensors[source.index];
}

SmallVector<const void *> BatchBinding::data(const Batch &batch) const {
  return llvm::map_to_vector(
      inputs, [&](const Source &source) -> const void * { return tensorOf(batch, source).bytes.data(); });
}

host::TensorView BatchBinding::find(const Batch &batch, StringRef name) const {
  for (const Source &source : named) {
    if (source.name != name)
      continue;
    host::TensorView view = tensorOf(batch, source).view();
    view.shape.front() = batch.count;
    view.bytes = view.bytes.first(static_cast<size_t>(*host::byteCount(view.shape, view.dtype)));
    return view;
  }
  return {};
}

host::Result<std::unique_ptr<Augmenter>> Augmenter::create(const StepModule &module, ArrayRef<TrainingInput> inputs,
                                                           int64_t maxBatch, unsigned workers, uint64_t seed) {
  std::unique_ptr<Augmenter> augmenter(new Augmenter(module));
  for (const TensorInfo &info : module.inputs()) {
    std::optional<size_t> index = inputOf(inputs, info.name);
    if (!index)
      return host::makeError("nothing gives the augmentation's input '{}'", info.name);
    augmenter->sources.push_back(*index);
  }
  for (unsigned i = 0; i < workers; ++i) {
    auto session = module.open(maxBatch, /*threads=*/1, /*state=*/nullptr);
    if (!session)
      return session.error();
    augmenter->workers.push_back({std::move(*session), std::make_unique<StepCall>(module, maxBatch)});
    augmenter->workers.back().call->setHyper("seed", static_cast<int64_t>(seed));
  }
  return augmenter;
}

host::Result<void> Augmenter::run(Batch &batch, unsigned worker, int64_t step) {
  Worker &own = workers[worker];
  SmallVector<const void *> inputs;
  for (size_t source : sources)
    inputs.push_back(batch.tensors[source].bytes.data());
  own.call->setHyper("step", step);
  if (auto done = own.call->run(*own.session, batch.count, inputs); !done)
    return done.error();
  batch.extra.resize(module.outputs().size());
  for (size_t i = 0; i < batch.extra.size(); ++i) {
    host::TensorView result = own.call->output(i);
    Tensor &extra = batch.extra[i];
    std::vector<int64_t> shape = result.shape;
    shape.front() = batch.tensors.front().shape.front();
    if (extra.shape != shape)
      extra = Tensor::zeros(result.dtype, shape);
    std::memcpy(extra.bytes.data(), result.bytes.data(), result.bytes.size());
  }
  return {};
}

} // namespace cnn
