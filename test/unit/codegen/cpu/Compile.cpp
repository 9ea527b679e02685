// See Compile.h.
#include "test/unit/codegen/cpu/Compile.h"

#include "ir/reference/Materialize.h"
#include "passes/Pipeline.h"
#include "test/unit/codegen/cpu/CompileTarget.h"

#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace mlir;
namespace cnn::testing {

std::unique_ptr<Compiled> Compiled::create(const std::string &text, const CompileOptions &options) {
  const TargetModel &target = targetModel();
  auto compiled = std::make_unique<Compiled>();
  MLIRContext &context = compiled->context_;
  DialectRegistry registry;
  target.registerDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  context.loadDialect<CnnDialect, func::FuncDialect>();
  std::string diagnostics;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    diagnostics += diagnostic.str() + "\n";
    return success();
  });
  auto fail = [&](const char *what) {
    ADD_FAILURE() << what << ":\n" << diagnostics << "\n" << text;
    return nullptr;
  };
  compiled->module_ = parseSourceString<ModuleOp>(text, &context);
  if (!compiled->module_)
    return fail("the text does not parse");
  std::mt19937 random(options.seed);
  std::normal_distribution<double> normal(0, 0.4);
  for (Operation &op : compiled->module_->getOps())
    if (isState(&op)) {
      auto type = cast<RankedTensorType>(cast<TypeAttr>(op.getAttr("type")).getValue());
      reference::Tensor value(type.getShape());
      // Variances are positive.
      for (double &element : value.values)
        element = static_cast<float>(SymbolTable::getSymbolName(&op).getValue().contains("variance")
                                         ? std::abs(normal(random)) + 0.2
                                         : normal(random));
      compiled->state_[SymbolTable::getSymbolName(&op).str()] = std::move(value);
    }
  PipelineOptions pipeline;
  pipeline.target = &target;
  pipeline.isas = options.isas;
  pipeline.exact = options.exact;
  pipeline.keepBuffers = options.keepBuffers;
  if (failed(runPipeline(*compiled->module_, pipeline)))
    return fail("the pipeline failed");
  ProgramOptions lower;
  lower.name = "network";
  lower.state = [owner = compiled.get()](StringRef name, RankedTensorType) -> FailureOr<reference::Tensor> {
    return owner->state_.at(name.str());
  };
  FailureOr<Program> program = lowerForTarget(*compiled->module_, lower);
  if (failed(program))
    return fail("lowering failed");
  compiled->program_ = std::move(*program);
  return compiled;
}

char *Compiled::stateBegin() const {
  return reinterpret_cast<char *>(llvm::alignTo(reinterpret_cast<uintptr_t>(block_.data()), 64));
}

void Compiled::resetState() {
  block_.assign(program_.stateBytes + 64, 0);
  for (const StateVariable &variable : program_.state) {
    auto known = state_.find(variable.name);
    if (known == state_.end() || variable.dtype != host::DType::F32)
      continue; // What differentiation declares begins at 0.
    for (auto [index, value] : llvm::enumerate(known->second.values)) {
      auto element = static_cast<float>(value);
      std::memcpy(stateBegin() + variable.offset + 4 * index, &element, 4);
    }
  }
}

std::string Compiled::text() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module_->print(stream);
  return text;
}

std::unique_ptr<Loaded> Compiled::load(const std::string &isa) const {
  auto loaded = Loaded::create(program_, isa);
  if (!loaded) {
    ADD_FAILURE() << llvm::toString(loaded.takeError());
    return nullptr;
  }
  return std::move(*loaded);
}

static int64_t imageBytes(const TensorInfo &info) {
  int64_t count = host::dtypeBytes(info.dtype);
  for (int64_t extent : info.shape)
    count *= extent;
  return count;
}

std::vector<std::vector<char>> Compiled::randomInputs(int64_t batch, unsigned seed) const {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<std::vector<char>> inputs;
  for (const TensorInfo &info : program_.inputs) {
    std::vector<char> bytes(imageBytes(info) * (info.batched ? batch : 1));
    if (info.dtype == host::DType::F32) {
      std::vector<float> values(bytes.size() / 4);
      for (float &value : values)
        value = random() % 16 ? normal(random) : 0.0f;
      std::memcpy(bytes.data(), values.data(), bytes.size());
    } else {
      for (size_t i = 0; i < bytes.size(); i += host::dtypeBytes(info.dtype))
        bytes[i] = static_cast<char>(random());
    }
    inputs.push_back(std::move(bytes));
  }
  return inputs;
}

std::vector<std::vector<char>> Compiled::run(Loaded &loaded, int64_t batch, int threads,
                                             const std::vector<std::vector<char>> &inputs,
                                             std::optional<StepObserver> observer, bool resetsState) {
  if (resetsState)
    resetState();
  prepareRun(threads);
  std::vector<std::vector<char>> outputs;
  outputs.reserve(program_.outputs.size());
  for (const TensorInfo &info : program_.outputs)
    outputs.emplace_back(imageBytes(info) * (info.batched ? batch : 1), char(0x7f));
  std::vector<const void *> from;
  std::vector<void *> to;
  from.reserve(inputs.size());
  to.reserve(outputs.size());
  for (const auto &bytes : inputs)
    from.push_back(bytes.data());
  for (auto &bytes : outputs)
    to.push_back(bytes.data());
  if (llvm::Error error = loaded.openSession(batch, threads, program_.stateBytes ? stateBegin() : nullptr))
    ADD_FAILURE() << llvm::toString(std::move(error));
  else if (llvm::Error error = loaded.run(batch, from, to, observer))
    ADD_FAILURE() << llvm::toString(std::move(error));
  return outputs;
}

namespace {

/// The images of an operand that a step or group sees, as one row of bytes in the type's layout.
std::vector<char> gather(std::pair<char *, int64_t> place, int64_t imageBytes, int64_t images) {
  std::vector<char> bytes(imageBytes * images);
  for (int64_t image = 0; image < images; ++image)
    std::memcpy(bytes.data() + image * imageBytes, place.first + image * place.second, imageBytes);
  return bytes;
}

void fillWithNan(std::pair<char *, int64_t> place, int64_t imageBytes, int64_t images) {
  for (int64_t image = 0; image < images; ++image)
    std::memset(place.first + image * place.second, 0xff, imageBytes);
}

/// An operand's value, read where it lies.
struct Seen {
  RankedTensorType type; ///< With N filled in.
  std::vector<char> bytes;
  reference::TensorRef tensor;

  Seen(Type declared, const Operand &operand, const Loaded &loaded, int64_t batch) {
    type = cast<RankedTensorType>(declared);
    bool batched = operand.imageStride != 0;
    SmallVector<int64_t> shape(type.getShape());
    if (type.getRank() > 0 && type.isDynamicDim(0))
      shape[0] = batch;
    type = RankedTensorType::get(shape, type.getElementType(), type.getEncoding());
    auto place = loaded.resolve(operand, batch);
    bytes = gather(place, storedBytes(type, /*whole=*/!batched), batched ? batch : 1);
    tensor = reference::share(reference::load(type, shape, bytes));
  }

  bool hasZeroPadding() const {
    int64_t element = elementBytes(type.getElementType());
    bool zero = true;
    forEachStored(type, [&](int64_t at, int64_t logical) {
      // Zeros of either sign.
      for (int64_t byte = 0; logical < 0 && byte < element; ++byte)
        zero &= (bytes[at * element + byte] & (byte + 1 == element ? 0x7f : 0xff)) == 0;
    });
    return zero;
  }
};

} // namespace

void Compiled::expectGroupsToMatch(Loaded &loaded, int64_t batch, const std::vector<std::vector<char>> &inputs) {
  // The program's groups are those of the module that compute something, in order; paths need not be unique.
  std::vector<GroupOp> groups;
  module_->walk([&](GroupOp group) {
    if (!group.getElided())
      groups.push_back(group);
  });
  ASSERT_EQ(groups.size(), program_.groups.size());
  int64_t lastGroup = -1;
  SmallVector<reference::TensorRef> operands;
  auto observer = [&](const StepView &view) {
    const GroupInfo &info = program_.groups[view.step->group];
    GroupOp group = groups[view.step->group];
    bool lastStep = view.index + 1 == program_.steps.size() || program_.steps[view.index + 1].group != view.step->group;
    if (!view.after && view.step->group != lastGroup) {
      lastGroup = view.step->group;
      for (auto [operand, type] : llvm::zip(info.results, group.getResultTypes())) {
        bool batched = operand.imageStride != 0;
        // A new value of state overwrites what the group may read.
        if (operand.segment == Segment::State)
          continue;
        fillWithNan(loaded.resolve(operand, batch), storedBytes(cast<RankedTensorType>(type), !batched),
                    batched ? batch : 1);
      }
      operands.clear();
      for (auto [operand, input] : llvm::zip(info.operands, group.getInputs()))
        operands.push_back(Seen(input.getType(), operand, loaded, batch).tensor);
    }
    if (!view.after || !lastStep)
      return;
    reference::EvaluateOptions options;
    options.batch = batch;
    FailureOr<SmallVector<reference::Bounded>> expected = reference::evaluateWithBounds(group, operands, options);
    ASSERT_TRUE(succeeded(expected)) << info.path;
    for (auto [index, operand] : llvm::enumerate(info.results)) {
      Seen seen(group.getResult(index).getType(), operand, loaded, batch);
      reference::Difference difference = reference::compare(*seen.tensor, (*expected)[index]);
      std::string body;
      llvm::raw_string_ostream(body) << group;
      EXPECT_TRUE(difference.passed) << loaded.isa() << ", batch " << batch << ", group " << info.path << " ("
                                     << info.algorithm << "), result " << index << ", element " << difference.worst
                                     << ": " << (difference.worst < 0 ? 0.0 : seen.tensor->values[difference.worst])
                                     << " instead of "
                                     << (difference.worst < 0 ? 0.0
                                                              : (*expected)[index].value->values[difference.worst])
                                     << ", " << difference.maxOfBound << " of the bound\n"
                                     << body;
      EXPECT_TRUE(seen.hasZeroPadding()) << loaded.isa() << ", group " << info.path << ", result " << index << "\n"
                                         << body;
    }
  };
  run(loaded, batch, 1, inputs, StepObserver(observer));
}

void Compiled::expectSameBits(Loaded &loaded, const std::vector<std::vector<char>> &inputs, int64_t batch,
                              bool placeMatters) {
  std::vector<std::vector<char>> together = run(loaded, batch, 1, inputs);
  std::vector<char> after(state().begin(), state().end());
  for (int threads : {2, 3, 8}) {
    EXPECT_TRUE(run(loaded, batch, threads, inputs) == together) << loaded.isa() << ", " << threads << " threads";
    EXPECT_TRUE(ArrayRef<char>(after) == state()) << loaded.isa() << ", state after " << threads << " threads";
  }
  auto imageOf = [](const std::vector<std::vector<char>> &tensors, ArrayRef<TensorInfo> infos, int64_t index) {
    std::vector<std::vector<char>> images;
    for (auto [bytes, info] : llvm::zip(tensors, infos)) {
      auto begin = bytes.begin() + (info.batched ? index * imageBytes(info) : 0);
      images.emplace_back(begin, begin + imageBytes(info));
    }
    return images;
  };
  for (int64_t index = 0; index < batch && !placeMatters; ++index)
    EXPECT_TRUE(run(loaded, 1, 1, imageOf(inputs, program_.inputs, index)) ==
                imageOf(together, program_.outputs, index))
        << loaded.isa() << ", image " << index;
}

} // namespace cnn::testing
